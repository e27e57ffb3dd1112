import http2 from 'node:http2'

/** Kinds of messages on a service stream. One that is not known is skipped. */
export const Say = {
  /** A sign of life. */
  nothing: 0,
  /** Server: so many offers shall wait. */
  want: 1,
  /** Client: reset the stream of this number. Resets by RST_STREAM are rationed by HTTP/2 servers, as an attack. */
  reset: 2,
  /** Open no more streams. */
  away: 3
} as const

/** One byte for the kind, four for a number, big endian. */
const SIZE = 5

/** What is said on a service stream. */
export interface ServiceEvents {
  onMessage(kind: number, value: number): void
  /** The other side closes the link cleanly. */
  onEnd(): void
  /** The stream is gone, and the link with it. */
  onClose(code: number): void
}

/** The stream on which the two ends of a link talk about it: the request that began it. */
export class Service {
  readonly #h2: http2.Http2Stream
  readonly #events: ServiceEvents
  #rest = Buffer.alloc(0)
  #away = false
  #ended = false

  constructor(h2: http2.Http2Stream, events: ServiceEvents) {
    this.#h2 = h2
    this.#events = events
    h2.on('error', () => {})
    h2.on('data', (chunk: Buffer) => this.#came(chunk))
    h2.once('end', () => {
      // Node says so also of a stream that was closed by a code.
      if (!h2.aborted && h2.rstCode === http2.constants.NGHTTP2_NO_ERROR && !h2.destroyed) events.onEnd()
    })
    h2.once('close', () => events.onClose(h2.rstCode))
  }

  #came(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    for (; bytes.length - at >= SIZE; at += SIZE)
      this.#events.onMessage(bytes[at] as number, bytes.readUInt32BE(at + 1))
    // A copy: the rest would keep the whole read it came with.
    this.#rest = Buffer.from(bytes.subarray(at))
  }

  say(kind: number, value = 0): void {
    if (this.#ended || this.#h2.destroyed || this.#h2.closed) return
    if (kind === Say.away) {
      if (this.#away) return
      this.#away = true
    }
    const message = Buffer.allocUnsafe(SIZE)
    message[0] = kind
    message.writeUInt32BE(value, 1)
    this.#h2.write(message)
  }

  /** Closes the link cleanly. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.#h2.destroyed) this.#h2.end()
  }

  /** Gives the link up. */
  cut(): void {
    this.#ended = true
    if (!this.#h2.closed) this.#h2.close(http2.constants.NGHTTP2_CANCEL)
  }
}
