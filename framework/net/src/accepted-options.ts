import type net from 'node:net'

/** A handle of a listener, as Node keeps it: of the same class as that of a connection. */
interface Handle {
  setNoDelay(on: boolean): number
  setKeepAlive(on: boolean, seconds: number): number
}

const handleOf = (server: net.Server): Handle | undefined => {
  const handle = (server as { _handle?: Partial<Handle> | null })._handle
  const known = typeof handle?.setNoDelay === 'function' && typeof handle.setKeepAlive === 'function'
  return known ? (handle as Handle) : undefined
}

/**
 * Turns Nagle's algorithm off and keep-alive on for all that a TCP listener accepts. To be called when it listens, before the
 * first connection. On Linux an accepted connection inherits the options of its listener (tcp(7)), which saves five system
 * calls for each; elsewhere, and where Node looks different, they are set on each.
 * @param keepAlive milliseconds of silence after which the kernel probes the peer
 */
export const setAcceptedOptions = (server: net.Server, keepAlive: number): void => {
  const seconds = Math.max(1, Math.round(keepAlive / 1000))
  const handle = process.platform === 'linux' ? handleOf(server) : undefined
  if (handle !== undefined && handle.setNoDelay(true) === 0 && handle.setKeepAlive(true, seconds) === 0) return
  server.on('connection', (socket: net.Socket) => socket.setNoDelay(true).setKeepAlive(true, keepAlive))
}
