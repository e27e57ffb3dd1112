import type { ByteLink, DialOptions } from '@rystra/plugin'
import { once } from 'node:events'
import net from 'node:net'
import { dialError, givenUp } from './errors.js'
import { FramedStream } from './framed.js'
import { socketPath } from './path.js'

/** A link of a connected socket. A Unix domain socket has no address that would say more of the peer. */
export const linkOf = (socket: net.Socket): ByteLink => ({
  kind: 'bytes',
  duplex: new FramedStream(socket),
  peer: { address: 'unix', port: 0 }
})

/** Connects to the socket of an address. */
export const dial = async (dir: string, { address = '' }: DialOptions, signal: AbortSignal): Promise<ByteLink> => {
  let socket: net.Socket | undefined
  try {
    if (signal.aborted) throw givenUp()
    socket = net.connect({ path: socketPath(dir, address), allowHalfOpen: true })
    await once(socket, 'connect', { signal })
    return linkOf(socket)
  } catch (error) {
    socket?.destroy()
    throw dialError(error as Error, address)
  }
}
