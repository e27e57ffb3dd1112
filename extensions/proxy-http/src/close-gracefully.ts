import type { Duplex } from 'node:stream'

/** Milliseconds the other side has to end a connection that was ended here. */
const CLOSE_TIMEOUT_MS = 2000

/** Ends a stream that is not needed any more, and destroys it when the other side does not end it soon. */
export const closeGracefully = (stream: Duplex): void => {
  if (stream.destroyed) return
  stream.end()
  // An end is seen only while the stream is read.
  stream.resume()
  const timer = setTimeout(() => stream.destroy(), CLOSE_TIMEOUT_MS).unref()
  stream.once('close', () => clearTimeout(timer))
}
