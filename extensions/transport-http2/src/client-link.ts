import { RystraError } from '@rystra/plugin'
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'
import { Http2Link, type LinkParts } from './link.js'
import { Say } from './service.js'
import { Http2Stream } from './stream.js'
import { STREAM, VERB, type Verb } from './wire.js'

/** Milliseconds until an offer that an intermediary has refused is sent again. */
const RETRY_MS = 1000

/** Offers that may fail before that: the server resets some in the turn in which it takes them. */
const FAILURES = 64

/** Milliseconds the server has to reset a stream that it was asked to. */
const RESET_TIMEOUT_MS = 10_000

/** Milliseconds that open streams have after a GOAWAY: meanwhile no visitor can be served. */
const LEAVE_MS = 2000

/** Numbers of streams are sent in 32 bits. */
const MAX_NUMBER = 0xffff_ffff

/** What else the client's end needs. */
export interface ClientParts extends LinkParts {
  readonly session: ClientHttp2Session
  /** Of every request. */
  readonly headers: OutgoingHttpHeaders
  /** Offers that the server wants to begin with, and streams that it takes. */
  readonly offers: number
  readonly streams: number
}

/** The client's end of a link. All requests are its own; some of them wait until the server opens a stream on them. */
export class ClientLink extends Http2Link {
  readonly #session: ClientHttp2Session
  readonly #headers: OutgoingHttpHeaders
  readonly #most: number
  #onStream: ((stream: Duplex) => void) | undefined
  #wanted: number
  /** Offers in a row that failed. */
  #failures = 0
  #number = 0
  /** Offers without an answer. */
  readonly #offers = new Set<Http2Stream>()
  /** Streams that the server was asked to reset, with what gives that up. */
  readonly #resetting = new Map<Http2Stream, () => void>()
  #cancelRetry: (() => void) | undefined
  #offering = false
  #cancelLeave: (() => void) | undefined

  constructor(parts: ClientParts) {
    super(parts)
    this.#session = parts.session
    this.#headers = parts.headers
    this.#most = Math.min(parts.options.maxStreams, parts.streams)
    this.#wanted = parts.offers
    parts.session.once('goaway', () => this.#leave())
  }

  /**
   * The server, or a proxy in front of it that restarts or has counted enough requests, takes no more of them on this connection:
   * RFC 9113 §6.8. The link would look alive without a way to open a stream, so it ends, and the client dials again.
   */
  #leave(): void {
    if (this.over) return
    const end = (): void =>
      this.destroy(new RystraError('session.lost', { detail: 'GOAWAY: no more requests are taken on this connection' }))
    if (this.streams === 0) end()
    else this.#cancelLeave ??= this.clock.after(LEAVE_MS, end)
  }

  get onStream(): ((stream: Duplex) => void) | undefined {
    return this.#onStream
  }

  /** While it is undefined, nothing is offered. */
  set onStream(onStream: ((stream: Duplex) => void) | undefined) {
    this.#onStream = onStream
    this.#offer()
  }

  /** Requests that may be open besides those that are. */
  get #room(): number {
    const { maxConcurrentStreams = MAX_NUMBER } = this.#session.remoteSettings
    return maxConcurrentStreams - 1 - this.streams - this.#offers.size - this.#resetting.size
  }

  #request(verb: Verb): { h2: ClientHttp2Stream; stream: Http2Stream } {
    const number = ++this.#number
    const h2 = this.#session.request({ ...this.#headers, [VERB]: verb, [STREAM]: String(number) }, { endStream: false })
    const stream = new Http2Stream(h2, number, this)
    h2.once('close', () => {
      this.#resetting.get(stream)?.()
      this.#resetting.delete(stream)
      this.#offer()
    })
    return { h2, stream }
  }

  open(signal?: AbortSignal): Promise<Duplex> {
    const refusal = this.refusal(signal)
    if (refusal !== undefined) return Promise.reject(refusal)
    if (this.streams >= this.#most || this.#room <= 0) return Promise.reject(new RystraError('stream.limit'))
    if (this.#number >= MAX_NUMBER || this.#session.closed || this.#session.destroyed) {
      return Promise.reject(new RystraError('mux.closed', { detail: 'no more requests can be made' }))
    }
    const { h2, stream } = this.#request('open')
    this.add(stream, true)
    h2.once('response', ({ ':status': status }) => {
      if (status !== 200) stream.reset(new RystraError('stream.refused', { detail: `HTTP status ${status}` }))
    })
    return Promise.resolve(stream.duplex)
  }

  // What the server opens

  /** Sends offers until as many wait as the server wants; all of them with the next turn. */
  #offer(): void {
    if (this.#offering || this.over) return
    this.#offering = true
    queueMicrotask(() => {
      this.#offering = false
      while (this.#mayOffer()) this.#offerOne()
    })
  }

  #mayOffer(): boolean {
    if (this.over || this.awayHere || this.#onStream === undefined || this.#cancelRetry !== undefined) return false
    if (this.#session.closed || this.#session.destroyed || this.#number >= MAX_NUMBER) return false
    const waiting = this.#offers.size
    const most = Math.min(this.#wanted, this.options.maxOffers, this.#most - this.streams)
    // What is opened here needs room as well.
    return waiting < most && this.#room > 1
  }

  #offerOne(): void {
    const { h2, stream } = this.#request('offer')
    this.#offers.add(stream)
    h2.once('response', ({ ':status': status }) => {
      if (!this.#offers.delete(stream)) return
      if (status === 200) this.#taken(stream)
      else {
        // 204: the server needs fewer.
        if (status !== 204) this.#later()
        stream.end()
        stream.cut(new RystraError('stream.refused'))
      }
    })
  }

  #taken(stream: Http2Stream): void {
    if (this.over || this.awayHere || this.#onStream === undefined) stream.reset()
    else {
      this.#failures = 0
      this.add(stream, false)
      this.#onStream(stream.duplex)
    }
    this.#offer()
  }

  /** An offer failed. When many in a row do, something does not let them through: not at once again. */
  #later(): void {
    this.#failures += 1
    if (this.#failures <= FAILURES) return
    this.#cancelRetry ??= this.clock.after(RETRY_MS, () => {
      this.#cancelRetry = undefined
      this.#offer()
    })
  }

  protected override said(kind: number, value: number): void {
    super.said(kind, value)
    if (kind !== Say.want) return
    this.#wanted = value
    this.#offer()
  }

  // The end

  /** Has the server do it: see {@link Say.reset}. */
  cancel(stream: Http2Stream): void {
    if (stream.gone) return
    this.#resetting.set(
      stream,
      this.clock.after(RESET_TIMEOUT_MS, () => stream.rst())
    )
    this.service.say(Say.reset, stream.number)
  }

  protected freed(stream: Http2Stream): void {
    // An offer that ended: a proxy timed out, or the server refused it.
    if (this.#offers.delete(stream)) this.#later()
    if (this.#cancelLeave !== undefined) this.#leave()
    this.#offer()
  }

  protected stop(): void {
    this.#cancelRetry?.()
    this.#cancelLeave?.()
    for (const cancel of this.#resetting.values()) cancel()
    this.#offers.clear()
  }
}
