import { RystraError } from '@rystra/plugin'
import type { YamuxStream } from './stream.js'

/** Time without progress after which a closing session gives up: its peer does not read, or does not end the link. */
const LINGER_MS = 3000

/** Maximum duration of a close, so that a peer that reads a byte now and then cannot hold the session. */
const MAX_CLOSE_MS = 30_000

/** An orderly close: what is queued on streams that this side has ended is sent first, within a limited time. */
export class Closing {
  active = false
  readonly #streams: ReadonlyMap<number, YamuxStream>
  readonly #sent: () => void
  readonly #expire: () => void
  #linger: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined

  /**
   * @param sent called when all is sent, once or more
   * @param expire called when the peer takes too long
   */
  constructor(streams: ReadonlyMap<number, YamuxStream>, sent: () => void, expire: () => void) {
    this.#streams = streams
    this.#sent = sent
    this.#expire = expire
  }

  /** Resets the streams that this side has not ended. */
  begin(): void {
    this.active = true
    for (const stream of this.#streams.values()) if (!stream.endedHere) stream.reset(new RystraError('mux.closed'))
    this.wait()
    this.#check()
  }

  /** A stream has sent all, or is over. Its frames may be in the middle of being written. */
  later(): void {
    if (this.active) setImmediate(() => this.#check())
  }

  /** Begins the time that the peer has for the next step. */
  wait(): void {
    clearTimeout(this.#linger)
    this.#linger = setTimeout(this.#expire, LINGER_MS).unref()
    this.#deadline ??= setTimeout(this.#expire, MAX_CLOSE_MS).unref()
  }

  /** The peer has granted window. */
  progress(): void {
    if (this.active) this.#linger?.refresh()
  }

  stop(): void {
    clearTimeout(this.#linger)
    clearTimeout(this.#deadline)
  }

  #check(): void {
    for (const stream of this.#streams.values()) if (!stream.sent) return
    this.#sent()
  }
}
