import { AcceptedSockets } from '@rystra/net'
import { type Logger, RystraError, type Runtime } from '@rystra/plugin'
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import net, { type Server, type Socket } from 'node:net'
import path from 'node:path'

/** Time a process has to accept a connection on its socket; one that is busy for longer still counts as live. */
const PROBE_TIMEOUT_MS = 1000

type OnSocket = (socket: Socket) => void

interface SharedSocket {
  readonly server: Server
  /** The newest last. */
  readonly owners: OnSocket[]
}

/** Sockets of each end: an instance and its successor hold one while a reload is under way. */
const sharedByEnd = new WeakMap<Runtime, Map<string, SharedSocket>>()

const failed = (file: string, reason: string, cause?: unknown, hint?: string): RystraError =>
  new RystraError('listen.failed', {
    detail: `unix:${file}: ${reason}`,
    cause,
    hint: hint ?? 'make the state folder writable for its owner, name another with RYSTRA_STATE, or set `socket: false`'
  })

/** A folder for the socket that other users cannot enter. Rejects when it is of another user. */
const privateFolder = async (file: string): Promise<void> => {
  const folder = path.dirname(file)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const { uid, mode } = await lstat(folder)
  const user = process.getuid?.()
  if (user !== undefined && uid !== user) throw failed(file, `${folder} belongs to another user`)
  if ((mode & 0o077) !== 0) await chmod(folder, 0o700)
}

/** Whether a process listens on the socket. */
const isLive = (file: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(file)
    const done = (live: boolean): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(live)
    }
    const timer = setTimeout(() => done(true), PROBE_TIMEOUT_MS)
    socket.once('connect', () => done(true))
    // EAGAIN: its backlog is full, so that it lives.
    socket.once('error', ({ code }: NodeJS.ErrnoException) => done(code === 'EAGAIN'))
  })

/** Removes a socket that a process left behind when it crashed. Rejects when it is live, or no socket. */
const removeLeftOver = async (file: string): Promise<void> => {
  const found = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return
  if (!found.isSocket()) throw failed(file, 'a file that is no socket is there')
  if (await isLive(file))
    throw new RystraError('listen.in-use', {
      detail: `unix:${file}: another process or end with this state folder listens there`,
      hint: 'give each a state folder of its own with RYSTRA_STATE, or set `socket: false`'
    })
  await unlink(file)
}

const bind = (file: string, log: Logger, onSocket: OnSocket): Promise<Server> =>
  new Promise((resolve, reject) => {
    // Not counted against the limit of descriptors: its room is for an operator who looks why there are so many.
    const accepted = new AcceptedSockets({ log })
    const address = `unix:${file}`
    const face = { address, extension: 'admin-http' }
    const server = net.createServer({ allowHalfOpen: true }, (socket) => accepted.handOver(socket, face, onSocket))
    server.once('error', reject)
    server.listen(file, () => {
      server.off('error', reject)
      // An accept that fails, with too many open files for example, ends one connection.
      server.on('error', (error) => accepted.failed(address, error))
      resolve(server)
    })
  })

const open = async (file: string, log: Logger): Promise<SharedSocket> => {
  try {
    await privateFolder(file)
    await removeLeftOver(file)
    const owners: OnSocket[] = []
    const server = await bind(file, log, (socket) => {
      const owner = owners.at(-1)
      if (owner === undefined) socket.destroy()
      else owner(socket)
    })
    await chmod(file, 0o600).catch((error: unknown) => {
      server.close()
      throw error
    })
    return { server, owners }
  } catch (error) {
    if (error instanceof RystraError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw failed(file, code ?? message, error)
  }
}

/**
 * Listens on a unix socket that the owner of this process alone can use; the newest caller of an end gets the connections. A socket
 * that a crash left behind is replaced. Resolves with what closes it. Rejects with `listen.in-use` or `listen.failed`.
 */
export const listenUnix = async (
  end: Runtime,
  file: string,
  log: Logger,
  onSocket: OnSocket
): Promise<() => Promise<void>> => {
  const shared = sharedByEnd.get(end) ?? new Map<string, SharedSocket>()
  sharedByEnd.set(end, shared)
  const there = shared.get(file) ?? (await open(file, log))
  shared.set(file, there)
  there.owners.push(onSocket)
  return async () => {
    const index = there.owners.indexOf(onSocket)
    if (index >= 0) there.owners.splice(index, 1)
    if (there.owners.length > 0 || shared.get(file) !== there) return
    shared.delete(file)
    // Node removes the file.
    await new Promise<void>((resolve) => {
      there.server.close(() => resolve())
      setImmediate(resolve)
    })
  }
}
