import type { Http2Session } from 'node:http2'
import type { Duplex } from 'node:stream'

/** Milliseconds that a destroyed session has to send its last frames and to close its socket. */
const CLOSE_TIMEOUT_MS = 1000

/** Milliseconds between two checks whether the peer has closed a connection that Node does not read from any more. */
const CHECK_INTERVAL_MS = 1000

/**
 * Closes the socket of an HTTP/2 session when either of the two is over. Node leaves it open in two cases. After an error
 * of the whole connection, DATA on stream 0 for example, nghttp2 sends GOAWAY and wants to read no more: Node stops
 * reading, emits nothing, and never sees the peer close. And a session that is destroyed while frames are being read
 * emits neither `close` nor `error`, and keeps its socket.
 */
export const closeWithSession = (session: Http2Session, socket: Duplex): void => {
  const destroy = session.destroy.bind(session)
  // Each end of a session goes through its `destroy`.
  session.destroy = (...args: Parameters<Http2Session['destroy']>): void => {
    const first = !session.destroyed
    destroy(...args)
    if (!first || socket.destroyed) return
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS)
    socket.once('close', () => clearTimeout(timer))
  }
  // Reading from a finished session is harmless: data is ignored, and the end of the socket is noticed.
  const check = setInterval(() => {
    const { _handle: handle } = socket as { _handle?: { readStart(): void } | null }
    if (session.destroyed) return
    if (handle == null) socket.resume()
    else handle.readStart()
  }, CHECK_INTERVAL_MS).unref()
  socket.once('close', () => clearInterval(check))
}
