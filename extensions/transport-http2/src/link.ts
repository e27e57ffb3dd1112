import { type Clock, type MuxerStats, type PeerInfo, RystraError, type StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { Http2Stream as NodeStream } from 'node:http2'
import type { Memory } from './inbox.js'
import type { Http2Options } from './options.js'
import type { Pipe } from './pipe.js'
import { Say, Service } from './service.js'
import type { Http2Stream } from './stream.js'
import type { StreamHost } from './stream-host.js'

/** Time without progress after which a closing link gives up. */
const LINGER_MS = 3000

/** Maximum duration of a close, so that a peer that reads a byte now and then cannot hold the link. */
const MAX_CLOSE_MS = 30_000

/** The connection below a link. */
export interface Carrier {
  /** What its bytes go through. */
  readonly pipe: Pipe
  /** The link is done with it, cleanly or not. */
  release(graceful: boolean): void
}

/** What the links of both sides need. */
export interface LinkParts {
  readonly peer: PeerInfo
  readonly options: Http2Options
  readonly clock: Clock
  readonly carrier: Carrier
  /** The request that began the link. */
  readonly service: NodeStream
  /** Milliseconds between signs of life on silent streams, where a proxy between the ends speaks HTTP/2, otherwise 0. */
  readonly keepAlive: number
}

/** What both ends of a link have in common: its streams, and how it ends. */
export abstract class Http2Link implements StreamLink, StreamHost<Http2Stream> {
  readonly kind = 'streams'
  readonly peer: PeerInfo
  onClose: ((error?: Error) => void) | undefined
  abstract onStream: ((stream: Duplex) => void) | undefined

  readonly memory: Memory = { used: 0 }
  readonly chunked: boolean
  protected readonly options: Http2Options
  protected readonly clock: Clock
  protected readonly service: Service
  /** The other side, or this one, wants no more streams from this one, or the other. */
  protected awayThere = false
  protected awayHere = false
  readonly #carrier: Carrier
  /** Streams that are open: offers are not counted. */
  readonly #streams = new Map<number, Http2Stream>()
  /** Streams that wait to write, in order. */
  readonly #held = new Set<Http2Stream>()
  #control: Http2Stream | undefined
  #any = false
  #closing = false
  #over = false
  #error: Error | undefined
  /** The other side has sent all and ended the link. */
  #endedByPeer = false
  #cancelLinger: (() => void) | undefined
  #cancelClose: (() => void) | undefined
  #cancelKeepAlive: (() => void) | undefined

  constructor({ peer, options, clock, carrier, service, keepAlive }: LinkParts) {
    this.chunked = keepAlive > 0
    this.peer = peer
    this.options = options
    this.clock = clock
    this.#carrier = carrier
    this.service = new Service(service, {
      onMessage: (kind, value) => {
        if (!this.#over) this.said(kind, value)
      },
      onEnd: () => this.#endedThere(),
      onClose: (code) => {
        if (this.#closing) this.#finish(true)
        else this.destroy(new RystraError('session.lost', { detail: `HTTP/2 code ${code}` }))
      }
    })
    if (this.chunked) this.#keepAlive(keepAlive)
  }

  #keepAlive(ms: number): void {
    this.#cancelKeepAlive = this.clock.after(ms, () => {
      this.service.say(Say.nothing)
      for (const stream of this.#streams.values()) stream.keepAlive()
      this.#keepAlive(ms)
    })
  }

  abstract open(signal?: AbortSignal): Promise<Duplex>

  get streams(): number {
    return this.#streams.size - (this.#control === undefined ? 0 : 1)
  }

  /** Credit of the other end is not told by Node: a stream is blocked that has bytes while the network takes more. */
  stats(): MuxerStats {
    const { pipe } = this.#carrier
    let queued = pipe.waiting
    let blocked = 0
    let window = 0
    for (const stream of this.#streams.values()) {
      queued += stream.queued
      if (stream.queued > 0 && !pipe.congested) blocked += 1
      window += stream.window
    }
    return { queued, blocked, window }
  }

  /** No more streams, in either direction. */
  protected get over(): boolean {
    return this.#over || this.#closing
  }

  /** Why nothing can be opened, if so. */
  protected refusal(signal: AbortSignal | undefined): Error | undefined {
    if (this.over) return new RystraError('mux.closed', { cause: this.#error })
    if (this.awayThere) return new RystraError('mux.closed', { detail: 'the other side accepts no more streams' })
    return signal?.aborted === true ? new RystraError('stream.reset', { detail: 'given up' }) : undefined
  }

  /** A stream was opened. `control`: it is the one for control messages if it is the first. */
  protected add(stream: Http2Stream, control: boolean): void {
    if (control && !this.#any) this.#control = stream
    this.#any = true
    this.#streams.set(stream.number, stream)
  }

  /** Whether a number is in use. */
  protected has(number: number): boolean {
    return this.#streams.has(number)
  }

  /** A message of the other side. */
  protected said(kind: number, value: number): void {
    if (kind === Say.away) this.awayThere = true
    if (kind !== Say.reset) return
    // Node tells of a new stream a little later than of bytes on an old one.
    if (!this.#resetThere(value)) setImmediate(() => this.#resetThere(value))
  }

  #resetThere(number: number): boolean {
    const stream = this.#streams.get(number)
    stream?.cut(new RystraError('stream.reset', { detail: 'by the other side' }))
    stream?.rst()
    return stream !== undefined
  }

  // StreamHost

  congested(stream: Http2Stream): boolean {
    const { congested } = this.#carrier.pipe
    if (congested) this.#held.add(stream)
    return congested
  }

  /** The network takes bytes again: each stream gets its turn. */
  uncongested(): void {
    for (const stream of this.#held) {
      if (this.#carrier.pipe.congested) return
      this.#held.delete(stream)
      stream.uncongested()
    }
  }

  grew(): void {
    while (this.memory.used > this.options.maxBuffer) {
      let fullest: Http2Stream | undefined
      for (const stream of this.#streams.values()) {
        if (stream.waiting > (fullest?.waiting ?? 0)) fullest = stream
      }
      if (fullest === undefined) return
      fullest.reset(new RystraError('stream.limit', { detail: 'too many bytes wait to be read' }))
    }
  }

  abstract cancel(stream: Http2Stream): void

  streamOver(stream: Http2Stream): void {
    if (this.#streams.get(stream.number) === stream) this.#streams.delete(stream.number)
    if (this.#control === stream) this.#control = undefined
    this.#held.delete(stream)
    this.freed(stream)
    if (this.#endedByPeer && !this.#over && this.#streams.size === 0) this.service.end()
  }

  /** A stream, or an offer, is over. */
  protected abstract freed(stream: Http2Stream): void

  /** The link is over: nothing waits any more. */
  protected abstract stop(error: Error): void

  // The end

  goAway(): void {
    if (this.over) return
    this.awayHere = true
    this.service.say(Say.away)
  }

  close(): void {
    if (this.over) return
    this.#begin()
    // What was ended gets out; the rest is reset.
    let left = 1
    const flushed = (): void => {
      left -= 1
      if (left === 0) this.service.end()
    }
    for (const stream of [...this.#streams.values()]) {
      if (stream.endedHere) {
        left += 1
        let once = true
        stream.flushed(() => {
          if (once) flushed()
          once = false
        })
      } else stream.reset(new RystraError('mux.closed'))
    }
    flushed()
  }

  #endedThere(): void {
    if (this.#over) return
    if (!this.#closing) this.#begin()
    this.#endedByPeer = true
    for (const stream of [...this.#streams.values()]) stream.leave(new RystraError('mux.closed'))
    if (this.#streams.size === 0) this.service.end()
  }

  #begin(): void {
    this.#closing = true
    this.stop(new RystraError('mux.closed'))
    this.#cancelClose = this.clock.after(MAX_CLOSE_MS, () => this.#finish(false))
    this.#linger()
  }

  #linger(): void {
    this.#cancelLinger?.()
    this.#cancelLinger = this.clock.after(LINGER_MS, () => this.#finish(false))
  }

  progressed(): void {
    if (this.#closing && !this.#over) this.#linger()
  }

  destroy(error?: Error): void {
    if (this.#over) return
    this.#error = this.#closing ? undefined : error
    this.#finish(false)
  }

  #finish(graceful: boolean): void {
    if (this.#over) return
    this.#over = true
    this.#cancelKeepAlive?.()
    this.#cancelLinger?.()
    this.#cancelClose?.()
    const error = this.#error
    this.stop(error ?? new RystraError('mux.closed'))
    for (const stream of [...this.#streams.values()]) {
      stream.cut(new RystraError('mux.closed', { cause: error }))
      stream.rst()
    }
    if (!graceful) this.service.cut()
    this.#carrier.release(graceful)
    this.onClose?.(error)
  }
}
