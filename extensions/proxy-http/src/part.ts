import type { Duplex } from 'node:stream'

/** Milliseconds a service has to end a connection that was ended here. */
const PATIENCE = 2000

/** Ends a stream that nobody needs any more: in good order, if the service does so soon. */
export const part = (stream: Duplex): void => {
  if (stream.destroyed) return
  stream.end()
  // An end that nobody reads does not come.
  stream.resume()
  const timer = setTimeout(() => stream.destroy(), PATIENCE).unref()
  stream.once('close', () => clearTimeout(timer))
}
