import { Waiters } from '@rystra/limits'
import { RystraError } from '@rystra/plugin'

/** Bytes accepted before authentication: a Hello and a proof, with retransmissions. */
const MAX_BYTES = 256 * 1024

/** Bounds the data of a peer before it is authenticated, read or unread. */
export class PreAuthBudget {
  #bytes = 0
  #lift = false

  /** Permanent: existing streams go on when no new ones are accepted. */
  lift(): void {
    this.#lift = true
  }

  /** Counts received bytes. Returns the error when the limit is exceeded. */
  received(bytes: number): RystraError | undefined {
    if (this.#lift) return undefined
    this.#bytes += bytes
    if (this.#bytes <= MAX_BYTES) return undefined
    return new RystraError('session.limit', { side: 'client', detail: 'too much data before authentication' })
  }
}

const late = (): RystraError => new RystraError('stream.timeout', { detail: 'peer allows no more streams' })

/** Streams that wait for stream credit of the peer (MAX_STREAMS, RFC 9000 section 4.6). */
export class StreamCredit extends Waiters {
  readonly #admits: () => boolean

  /** @param timeout milliseconds a stream may wait */
  constructor(timeout: number, admits: () => boolean) {
    super({ timeout, late })
    this.#admits = admits
  }

  /** Calls `open` when one more stream may be opened, at once if possible. Rejects with `stream.timeout`. */
  turn<Opened>(open: () => Opened, signal: AbortSignal | undefined): Promise<Opened> {
    return this.size === 0 && this.#admits() ? Promise.resolve(open()) : this.wait(open, signal)
  }

  /** The peer may have granted credit. */
  serveAll(): void {
    while (this.size > 0 && this.#admits()) this.serve()
  }
}
