import { type PeerInfo, RystraError, type Side, type StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { MemoryDatagrams } from './memory-datagrams.js'
import { duplexPair, type PairOptions, resetError } from './pair.js'

/** Time for what was ended at a closing end to be read and ended at the other. */
const LINGER_MS = 3000

/** One end of a link of streams within the process. Each stream is a pair of joined streams of its own. */
export class MemoryStreamLink implements StreamLink {
  readonly kind = 'streams'
  onStream: ((stream: Duplex) => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  readonly #open = new Set<Duplex>()
  readonly #whenGone: (() => void)[] = []
  readonly #pair: PairOptions
  #other!: MemoryStreamLink
  /** No stream may be opened here any more. */
  #shut = false
  #closing = false
  #gone = false

  /** The first stream of the link, if the client opened it: it is for control messages, and not counted. */
  #control: Duplex | undefined
  #unused = true

  private constructor(
    readonly peer: PeerInfo,
    readonly side: Side,
    pair: PairOptions,
    readonly datagrams: MemoryDatagrams | undefined
  ) {
    this.#pair = pair
  }

  /** Makes both ends, the client's first. @param peers what each of them sees as its peer */
  static join(
    peers: readonly [PeerInfo, PeerInfo],
    pair: PairOptions,
    channels: readonly MemoryDatagrams[]
  ): [MemoryStreamLink, MemoryStreamLink] {
    const one = new MemoryStreamLink(peers[0], 'client', pair, channels[0])
    const other = new MemoryStreamLink(peers[1], 'server', pair, channels[1])
    one.#other = other
    other.#other = one
    return [one, other]
  }

  get streams(): number {
    return this.#open.size - (this.#control !== undefined && this.#open.has(this.#control) ? 1 : 0)
  }

  open(signal?: AbortSignal): Promise<Duplex> {
    return new Promise((resolve) => {
      signal?.throwIfAborted()
      if (this.#shut) throw new RystraError('mux.closed')
      const [near, far] = duplexPair(this.#pair)
      // who opens it has no listener yet, and may never have one
      near.on('error', () => {})
      if (this.#unused && this.#other.#unused && this.side === 'client') {
        this.#control = near
        this.#other.#control = far
      }
      this.#unused = false
      this.#open.add(near)
      near.once('close', () => this.#over(near, far))
      setImmediate(() => this.#other.#take(far, near))
      resolve(near)
    })
  }

  goAway(): void {
    const other = this.#other
    setImmediate(() => {
      other.#shut = true
    })
  }

  close(): void {
    if (this.#closing) return
    this.#closing = true
    this.#shut = true
    for (const stream of this.#open) {
      // what was written to its end is still sent
      if (!stream.writableEnded) stream.destroy(resetError())
    }
    if (this.#open.size > 0) {
      const linger = setTimeout(() => {
        for (const stream of this.#open) stream.destroy(resetError())
      }, LINGER_MS).unref()
      this.whenGone(() => clearTimeout(linger))
    }
    this.#finish()
  }

  destroy(error?: Error): void {
    this.#end(error, error)
    const other = this.#other
    setImmediate(() => other.#end(resetError(), resetError()))
  }

  /** Calls `fn` once the link is gone. */
  whenGone(fn: () => void): void {
    this.#whenGone.push(fn)
  }

  #take(far: Duplex, near: Duplex): void {
    far.on('error', () => {})
    if (this.#gone || this.#closing || this.onStream === undefined || far.destroyed) {
      far.destroy()
      return
    }
    this.#open.add(far)
    far.once('close', () => this.#over(far, near))
    this.onStream(far)
  }

  /** A stream closed at this end. A clean end: then all of it is with the other end, which may read it after the link. */
  #over(near: Duplex, far: Duplex): void {
    this.#open.delete(near)
    const clean = near.errored === null && near.readableEnded && near.writableFinished
    if (clean) this.#other.#open.delete(far)
    this.#finish()
    this.#other.#finish()
  }

  /** Ends the link once nothing is left to be sent. */
  #finish(): void {
    if (!this.#closing || this.#gone || this.#open.size > 0) return
    this.#end()
    const other = this.#other
    setImmediate(() => other.#end(undefined, resetError()))
  }

  /** @param why what is told of the link @param error what is told to its streams */
  #end(why?: Error, error?: Error): void {
    if (this.#gone) return
    this.#gone = true
    this.#shut = true
    this.datagrams?.close()
    const open = [...this.#open]
    this.#open.clear()
    for (const stream of open) stream.destroy(error ?? resetError())
    for (const fn of this.#whenGone.splice(0)) fn()
    // not in the turn of who destroys it, as with any other link
    setImmediate(() => this.onClose?.(why))
  }
}
