import type { ByteLink, Listener, ListenOptions } from '@rystra/plugin'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { lstat, mkdir, unlink } from 'node:fs/promises'
import net from 'node:net'
import { linkOf } from './dial.js'
import { givenUp, listenError } from './errors.js'
import { socketPath } from './path.js'

/** Where ports are taken from when any will do, as systems do it (RFC 6335). */
const FREE = [49_152, 65_536] as const
/** How often a port that is taken is passed over: with half of them taken, all of these are taken once in a million. */
const TRIES = 20

/** Whether it is the socket of a listener that was killed and could not remove it. */
const abandoned = async (file: string): Promise<boolean> => {
  // Another file is not ours to remove, and refuses a connection in the same words.
  if (!(await lstat(file)).isSocket()) return false
  const socket = net.connect(file)
  try {
    await once(socket, 'connect')
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}

const bind = async (file: string, onLink: (link: ByteLink) => void): Promise<net.Server> => {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => onLink(linkOf(socket)))
  server.listen(file)
  await once(server, 'listening')
  // From now on an error is one accept that failed, for want of descriptors say: the next one may succeed.
  return server.on('error', () => {})
}

const bindOrReplace = async (file: string, onLink: (link: ByteLink) => void): Promise<net.Server> => {
  try {
    return await bind(file, onLink)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || !(await abandoned(file))) throw error
    await unlink(file)
    return bind(file, onLink)
  }
}

const bindPort = async (
  directory: string,
  port: number,
  onLink: (link: ByteLink) => void
): Promise<[number, net.Server]> => {
  for (let tries = port === 0 ? TRIES : 1; ; tries -= 1) {
    const wanted = port === 0 ? randomInt(...FREE) : port
    try {
      return [wanted, await bindOrReplace(socketPath(directory, wanted), onLink)]
    } catch (error) {
      if (tries === 1 || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
}

/** Binds the socket of a port, 0 for any that is free. The host does not matter. */
export const listen = async (
  directory: string,
  { port }: ListenOptions,
  onLink: (link: ByteLink) => void,
  signal: AbortSignal
): Promise<Listener> => {
  try {
    if (signal.aborted) throw givenUp()
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const [bound, server] = await bindPort(directory, port, onLink)
    // Node removes the socket when the server is closed, at once. Links that are up go on.
    const close = (): void => void server.close()
    signal.addEventListener('abort', close, { once: true })
    server.once('close', () => signal.removeEventListener('abort', close))
    if (signal.aborted) {
      close()
      throw givenUp()
    }
    return { address: { host: 'localhost', port: bound }, close: async () => close() }
  } catch (error) {
    throw listenError(error as Error, port)
  }
}
