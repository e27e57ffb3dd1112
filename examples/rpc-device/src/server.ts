import { Rpc } from '@rystra/rpc'
import { createServer, type Server } from 'rystra'
import { Device, Telemetry } from './contract.js'

/** A server of the tunnel that also talks to its devices. */
export interface DeviceServer {
  readonly server: Server
  readonly temperatures: ReadonlyMap<string, number>
  setLight(device: string, on: boolean): Promise<boolean>
  readFile(device: string, path: string): Promise<Buffer>
}

export const startServer = async (token: string): Promise<DeviceServer> => {
  const temperatures = new Map<string, number>()
  const rpc = new Rpc().service(Telemetry, {
    temperature: (session, { celsius }) => temperatures.set(session.remote.id, celsius)
  })
  const server = await createServer({
    extensions: [{ use: '@rystra/auth-token', options: { token } }, rpc.extension],
    server: { listen: [{ host: '127.0.0.1', port: 0 }] }
  })
  await server.start()
  return {
    server,
    temperatures,
    setLight: async (device, on) => (await rpc.client(device).use(Device).setLight({ on })).on,
    readFile: async (device, path) => {
      const stream = rpc.client(device).use(Device).readFile()
      await stream.send({ path })
      const chunks: Uint8Array[] = []
      for await (const chunk of stream) chunks.push(chunk)
      stream.end()
      return Buffer.concat(chunks)
    }
  }
}
