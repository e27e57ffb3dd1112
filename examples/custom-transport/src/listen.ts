import type { ByteLink, Listener, ListenOptions } from '@rystra/plugin'
import { once } from 'node:events'
import { lstat, mkdir, unlink } from 'node:fs/promises'
import net from 'node:net'
import path from 'node:path'
import { linkOf } from './dial.js'
import { givenUp, listenError } from './errors.js'
import { socketPath } from './path.js'

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

/** Binds the socket of an address, in a folder that is made for its owner alone if it is not there. */
export const listen = async (
  dir: string,
  { address = '' }: ListenOptions,
  onLink: (link: ByteLink) => void,
  signal: AbortSignal
): Promise<Listener> => {
  try {
    if (signal.aborted) throw givenUp()
    const file = socketPath(dir, address)
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 })
    const server = await bindOrReplace(file, onLink)
    // Node removes the socket when the server is closed, at once. Links that are up go on.
    const close = (): void => void server.close()
    signal.addEventListener('abort', close, { once: true })
    server.once('close', () => signal.removeEventListener('abort', close))
    if (signal.aborted) {
      close()
      throw givenUp()
    }
    return { address: { host: '', port: 0, name: address }, close: async () => close() }
  } catch (error) {
    throw listenError(error as Error, address)
  }
}
