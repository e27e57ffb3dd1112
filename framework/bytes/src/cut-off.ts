import net from 'node:net'
import type { Duplex } from 'node:stream'

/**
 * Gives a stream up at once, both ways. A TCP connection is reset (RST), so that its other end does not take it for a
 * clean end; so is TLS whose socket brings a `resetAndDestroy` of its own. Of anything else (a pipe, bare TLS) only the
 * stream itself knows what a `destroy` looks like from outside.
 */
export const cutOff = (stream: Duplex, error?: Error): void => {
  if (stream.destroyed) return
  // What lies below a subclass is not known, unless it has its own reset; a pipe has no remote port.
  const tcp =
    stream instanceof net.Socket &&
    (stream.constructor === net.Socket || Object.hasOwn(stream, 'resetAndDestroy')) &&
    stream.remotePort !== undefined
  if (!tcp) stream.destroy(error)
  else if (stream.writableEnded && !stream.writableFinished && stream.writableLength === 0) {
    // The FIN is on its way. libuv refuses a reset just then, and Node loses the descriptor over it: wait for the FIN,
    // which takes a turn of the event loop at most.
    stream.pause()
    stream.once('finish', () => cutOff(stream))
  } else stream.resetAndDestroy()
}
