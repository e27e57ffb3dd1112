import { duplexOf } from '@rystra/bytes'
import { type Channel, type ChannelOpener, defineExtension, type ExtensionUse } from '@rystra/plugin'
import { Rpc } from '@rystra/rpc'
import { randomUUID } from 'node:crypto'
import type net from 'node:net'
import { samples } from '../../framework/rpc/test/frames.js'
import type { Face } from './face.js'
import { rpcCallMessages, rpcStreamMessages } from './messages.js'

const { hello } = samples()

/** RPC on the server, and channels of a client whose program is hostile. */
export interface RpcWorld {
  readonly onServer: Rpc
  /** The extension of the hostile client. */
  readonly attacker: ExtensionUse
  readonly faces: readonly Face[]
}

/** Handlers with the names that {@link rpcCallMessages} ask for. */
const service = (): Rpc =>
  new Rpc({ openTimeout: 2000 })
    .handler('disk.usage', (_session, data) => data)
    .handler('never', () => new Promise(() => {}))
    .handler('throws', () => {
      throw new Error('a handler that fails')
    })
    .listener('tick', () => {})
    .streamHandler('video', async (_session, stream) => {
      for await (const message of stream) await stream.send(message)
      stream.end()
    })
    .streamHandler('unread', () => new Promise(() => {}))

export const rpcWorld = (): RpcWorld => {
  let opener: ChannelOpener | undefined
  const attacker = defineExtension({
    name: 'attacker',
    setup: ({ hooks }) =>
      void hooks.onConnect.tap(({ channels }) => {
        opener = channels
      })
  })
  const open = async (details: Readonly<Record<string, string>>): Promise<Channel> => {
    if (opener === undefined) throw new Error('the hostile client is not connected')
    const channel = await opener.openChannel('rpc', { details })
    await channel.accepted
    return channel
  }
  /** A socket has more than a `Duplex`, none of which a case uses. */
  const asSocket = (channel: Channel): net.Socket => duplexOf(channel.stream) as unknown as net.Socket
  return {
    onServer: service(),
    attacker: attacker(),
    faces: [
      {
        name: 'rpc-calls',
        messages: rpcCallMessages,
        connect: async () => asSocket(await open({ kind: 'calls', session: randomUUID() }))
      },
      {
        name: 'rpc-stream',
        messages: rpcStreamMessages,
        async connect() {
          const session = randomUUID()
          const calls = duplexOf((await open({ kind: 'calls', session })).stream)
          calls.on('error', () => {}).resume()
          calls.write(hello)
          const socket = asSocket(await open({ kind: 'stream', session }))
          socket.once('close', () => calls.destroy())
          return socket
        }
      }
    ]
  }
}
