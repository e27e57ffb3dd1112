import { Rpc, RpcError } from '@rystra/rpc'
import { createReadStream } from 'node:fs'
import path from 'node:path'
import { createClient } from 'rystra'
import { Device, Telemetry } from './contract.js'

/** How a device reaches its server: it dials out, so nothing has to reach it. */
export interface DeviceOptions {
  readonly id: string
  readonly port: number
  readonly token: string
  /** The folder whose files may be read. */
  readonly files: string
}

/** A running device. */
export interface RunningDevice {
  readonly light: () => boolean
  measure(celsius: number): void
  stop(): Promise<void>
}

export const startDevice = async ({ id, port, token, files }: DeviceOptions): Promise<RunningDevice> => {
  let light = false
  const rpc = new Rpc().service(Device, {
    setLight: (_session, { on }) => {
      light = on
      return { on }
    },
    readFile: async (_session, stream) => {
      const wanted = await stream.recv()
      const file = path.resolve(files, wanted?.path ?? '')
      if (!file.startsWith(files + path.sep)) throw new RpcError('device.no-file', { message: 'no such file' })
      for await (const chunk of createReadStream(file)) await stream.send(chunk as Buffer)
      stream.end()
    }
  })
  const client = await createClient({
    extensions: [{ use: '@rystra/auth-token', options: { token } }, rpc.extension],
    client: { id, connect: { host: '127.0.0.1', port } }
  })
  await client.start()
  return {
    light: () => light,
    measure: (celsius) => void rpc.server.use(Telemetry).temperature({ celsius }),
    stop: () => client.stop()
  }
}
