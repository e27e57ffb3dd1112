import fs from 'node:fs'
import net from 'node:net'
import type { Duplex } from 'node:stream'

const one = Buffer.allocUnsafeSlow(1)

const fdOf = (socket: net.Socket): number | undefined => {
  const fd = (socket as { _handle?: { fd?: number } | null })._handle?.fd
  return fd === undefined || fd < 0 ? undefined : fd
}

/**
 * What a stream that says "end" really ended with. libuv turns a reset into an end when the last bytes before it arrive in
 * the same turn: what was cut off would look complete. The kernel still knows, and one more read tells; also below TLS.
 * @returns the error of a reset, or nothing for a true end and for all that is neither TCP nor TLS over it
 */
export const resetSeen = (stream: Duplex): Error | undefined => {
  if (!(stream instanceof net.Socket)) return undefined
  const fd = fdOf(stream)
  if (fd === undefined) return undefined
  try {
    fs.readSync(fd, one, 0, 1, null)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? (error as Error) : undefined
  }
}

/** Reads what has arrived, without waiting: 0 at an end, at an error, and when nothing has. */
export const readNow = (fd: number, into: Buffer): number => {
  try {
    return fs.readSync(fd, into, 0, into.length, null)
  } catch {
    return 0
  }
}

/** Interval of the checks of a half-closed socket. */
const CHECK_INTERVAL_MS = 500

/**
 * Destroys a socket that the peer resets after its end: libuv stops polling at the end and would never report it. Reads
 * keep showing the end; an empty write shows the error of the socket, as EPIPE.
 */
export const watchHalfClosed = (socket: Duplex): void => {
  if (!(socket instanceof net.Socket) || socket.writableEnded) return
  const timer = setInterval(() => {
    const fd = fdOf(socket)
    if (fd === undefined || socket.writableEnded) return
    try {
      fs.writeSync(fd, one, 0, 0)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EAGAIN') return
      socket.destroy(Object.assign(new Error('reset by the peer', { cause }), { code: 'ECONNRESET' }))
    }
  }, CHECK_INTERVAL_MS).unref()
  socket.once('close', () => clearInterval(timer))
}
