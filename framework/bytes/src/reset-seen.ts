import fs from 'node:fs'
import net from 'node:net'
import type { Duplex } from 'node:stream'

const one = Buffer.allocUnsafeSlow(1)

/**
 * What a stream that says "end" really ended with. libuv turns a reset into an end when the last bytes before it arrive in
 * the same turn: what was cut off would look complete. The kernel still knows, and one more read tells; also below TLS.
 * @returns the error of a reset, or nothing for a true end and for all that is neither TCP nor TLS over it
 */
export const resetSeen = (stream: Duplex): Error | undefined => {
  if (!(stream instanceof net.Socket)) return undefined
  const fd = (stream as { _handle?: { fd?: number } | null })._handle?.fd
  if (fd === undefined || fd < 0) return undefined
  try {
    fs.readSync(fd, one, 0, 1, null)
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? (error as Error) : undefined
  }
}
