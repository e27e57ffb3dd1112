import type { TurnQueue } from './turn-queue.js'

/** Why a handshake is aborted. */
export type HandshakeAbort = 'limit' | 'timeout' | 'closed'

/** Options of {@link Handshakes}. */
export interface HandshakesOptions {
  /** Asked for each handshake: a reload may change them. */
  readonly limits: () => {
    /** Maximum of handshakes that wait for their peers, and of those that wait for their turn. */
    readonly max: number
    /** Milliseconds that peers have in all. */
    readonly timeout: number
  }
  readonly clock: { now(): number; after(ms: number, fn: () => void): () => void }
  readonly queue: TurnQueue
}

/** One handshake in progress. */
export interface PendingHandshake {
  /**
   * It is this end's turn: `start` is called in the order of arrival. The time until then is not counted, and a peer that
   * waits is not evicted. At the limit the newest is refused.
   */
  enqueue(start: () => void): void
  /** It is over. Returns whether it was in progress until now. */
  settle(): boolean
}

interface Entry extends PendingHandshake {
  readonly abort: (reason: HandshakeAbort) => void
  /** Milliseconds that its peer has left. */
  left: number
  cancel: () => void
}

/**
 * Handshakes in progress of peers that are not authenticated, bounded in number and time. A peer that has to answer has a
 * deadline; at the limit the one that has had to answer for the longest is evicted, since honest peers answer within a
 * round trip. A peer that waits for this end is never at fault, however many come at once.
 */
export class Handshakes {
  readonly #options: HandshakesOptions
  /** Those that wait for their peers, the longest first. */
  readonly #waiting = new Set<Entry>()
  /** Those that wait for this end. */
  readonly #queued = new Set<Entry>()

  constructor(options: HandshakesOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#waiting.size + this.#queued.size
  }

  /** A peer is there. `abort` is called at most once. */
  begin(abort: (reason: HandshakeAbort) => void): PendingHandshake {
    const entry: Entry = {
      abort,
      left: this.#options.limits().timeout,
      cancel: () => {},
      enqueue: (start) => this.#enqueue(entry, start),
      settle: () => this.#settle(entry)
    }
    this.#await(entry)
    return entry
  }

  /** Aborts all. */
  close(): void {
    for (const entry of [...this.#waiting, ...this.#queued]) this.#abort(entry, 'closed')
  }

  #await(entry: Entry): void {
    const { clock, limits } = this.#options
    const [longest] = this.#waiting
    if (longest !== undefined && this.#waiting.size >= limits().max) this.#abort(longest, 'limit')
    const begin = clock.now()
    const cancel = clock.after(entry.left, () => this.#abort(entry, 'timeout'))
    entry.cancel = () => {
      cancel()
      entry.left = Math.max(0, entry.left - (clock.now() - begin))
    }
    this.#waiting.add(entry)
  }

  #enqueue(entry: Entry, start: () => void): void {
    if (!this.#settle(entry)) return
    if (this.#queued.size >= this.#options.limits().max) {
      entry.abort('limit')
      return
    }
    this.#queued.add(entry)
    entry.cancel = this.#options.queue.add(() => {
      this.#queued.delete(entry)
      this.#await(entry)
      start()
    })
  }

  #settle(entry: Entry): boolean {
    if (!this.#waiting.delete(entry) && !this.#queued.delete(entry)) return false
    entry.cancel()
    return true
  }

  #abort(entry: Entry, reason: HandshakeAbort): void {
    if (this.#settle(entry)) entry.abort(reason)
  }
}
