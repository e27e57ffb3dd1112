import net from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { GatheredStream } from './gathered-stream.js'
import { canReadInto } from './onread.js'
import { type HasRaw, hasRaw, type RawStream, raw } from './raw.js'
import { RawDuplex } from './raw-duplex.js'
import { RawSocket } from './raw-socket.js'

/**
 * The raw stream of a `Duplex`: its own if it brings one, the fast one of a socket, or one made from its events. The same
 * one each time. A socket must be connected. From the first `read` or `write` on, use it instead of the `Duplex`.
 */
export const rawOf = (stream: Duplex): RawStream => {
  if (hasRaw(stream)) return stream[raw]
  const made = stream instanceof net.Socket && canReadInto(stream) ? rawOfSocket(stream) : new RawDuplex(stream)
  Object.defineProperty(stream, raw, { value: made })
  return (stream as Duplex & HasRaw)[raw]
}

const rawOfSocket = (socket: net.Socket): RawStream => {
  const made = new RawSocket(socket)
  // A record at a time.
  return socket instanceof TLSSocket ? new GatheredStream(made) : made
}
