import { Waiters } from '@rystra/limits'
import { RystraError } from '@rystra/plugin'
import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { Http2Link, type LinkParts } from './link.js'
import { Demand } from './offers.js'
import { Say } from './service.js'
import { Http2Stream } from './stream.js'
import { respond } from './wire.js'

/** Milliseconds after which unused offers are reduced. */
const REDUCE_AFTER_MS = 10_000

const late = (): RystraError =>
  new RystraError('stream.timeout', { detail: 'the client has sent no request to open it on' })

/** What the server answers to what it takes. */
const OK = { ':status': 200, 'content-type': 'application/octet-stream' }

/** Answers the request of a stream. */
export const accept = (h2: ServerHttp2Stream, fields: Readonly<Record<string, string>> = {}): void => {
  respond(h2, { ...OK, ...fields })
}

/** The server's end of a link. It opens a stream by answering a request that the client has sent for that in advance. */
export class ServerLink extends Http2Link {
  onStream: ((stream: Duplex) => void) | undefined
  readonly #demand: Demand
  readonly #most: number
  readonly #refused: (h2: ServerHttp2Stream) => void
  /** Offers that wait, the oldest first. */
  readonly #ready = new Map<Http2Stream, ServerHttp2Stream>()
  readonly #waiters: Waiters<Http2Stream>
  #telling = false
  #cancelRest: () => void = () => {}

  /**
   * @param streams how many the client takes
   * @param refused takes what the client may not open
   */
  constructor(parts: LinkParts, streams: number, refused: (h2: ServerHttp2Stream) => void) {
    super(parts)
    this.#most = Math.min(parts.options.maxStreams, streams)
    const { clock } = this
    this.#waiters = new Waiters({ timeout: parts.options.openTimeout, late, after: (ms, fn) => clock.after(ms, fn) })
    this.#demand = new Demand(parts.options.maxOffers)
    this.#refused = refused
    this.#rest()
  }

  #rest(): void {
    this.#cancelRest = this.clock.after(REDUCE_AFTER_MS, () => {
      if (this.#demand.rest(this.#ready.size)) {
        this.#tell()
        for (const [stream, h2] of [...this.#ready].slice(this.#demand.wanted)) this.#release(stream, h2)
      }
      this.#rest()
    })
  }

  /** Sends an offer back: it is not needed. */
  #release(stream: Http2Stream, h2: ServerHttp2Stream): void {
    this.#ready.delete(stream)
    if (respond(h2, { ':status': 204 }, { endStream: true })) h2.close()
  }

  #tell(): void {
    if (this.#telling) return
    this.#telling = true
    setImmediate(() => {
      this.#telling = false
      if (!this.over) this.service.say(Say.want, this.#demand.wanted)
    })
  }

  /** Whether a number is in use, or will be once an offer is taken. Two streams of one number would count as one. */
  #taken(number: number): boolean {
    if (this.has(number)) return true
    for (const stream of this.#ready.keys()) if (stream.number === number) return true
    return false
  }

  // What the client asks for

  /** The client opens a stream. */
  opened(h2: ServerHttp2Stream, number: number): void {
    if (
      this.over ||
      this.awayHere ||
      this.onStream === undefined ||
      this.streams >= this.#most ||
      this.#taken(number)
    ) {
      this.#refused(h2)
      return
    }
    const stream = new Http2Stream(h2, number, this)
    this.add(stream, true)
    accept(h2)
    this.onStream(stream.duplex)
  }

  /** The client offers to have a stream opened on this request. */
  offered(h2: ServerHttp2Stream, number: number): void {
    if (this.over || this.#ready.size >= this.#demand.allowed || this.#taken(number)) {
      this.#refused(h2)
      return
    }
    const stream = new Http2Stream(h2, number, this)
    if (this.awayThere) {
      this.#release(stream, h2)
      return
    }
    if (this.#waiters.size > 0) {
      this.#waiters.serve(this.#take(stream, h2))
      return
    }
    this.#ready.set(stream, h2)
    stream.parked = true
  }

  protected override said(kind: number, value: number): void {
    super.said(kind, value)
    if (kind !== Say.away) return
    for (const [stream, h2] of [...this.#ready]) this.#release(stream, h2)
    this.#waiters.refuse(new RystraError('mux.closed', { detail: 'the other side accepts no more streams' }))
  }

  // What the server opens

  open(signal?: AbortSignal): Promise<Duplex> {
    const refusal = this.refusal(signal)
    if (refusal !== undefined) return Promise.reject(refusal)
    if (this.streams + this.#waiters.size >= this.#most) return Promise.reject(new RystraError('stream.limit'))
    const [offer] = this.#ready
    if (offer === undefined) return this.#wait(signal)
    this.#ready.delete(offer[0])
    this.#demand.left(this.#ready.size)
    return Promise.resolve(this.#take(...offer).duplex)
  }

  #take(stream: Http2Stream, h2: ServerHttp2Stream): Http2Stream {
    stream.parked = false
    this.add(stream, false)
    accept(h2)
    return stream
  }

  #wait(signal: AbortSignal | undefined): Promise<Duplex> {
    const opened = this.#waiters.wait(({ duplex }) => duplex, signal)
    if (this.#demand.short(this.#waiters.size)) this.#tell()
    return opened
  }

  // The end

  cancel(stream: Http2Stream): void {
    stream.rst()
  }

  protected freed(stream: Http2Stream): void {
    this.#ready.delete(stream)
  }

  protected stop(error: Error): void {
    this.#cancelRest()
    this.#waiters.refuse(error)
    for (const stream of [...this.#ready.keys()]) {
      this.#ready.delete(stream)
      stream.rst()
    }
  }
}
