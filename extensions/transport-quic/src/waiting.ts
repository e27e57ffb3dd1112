import { Waiters } from '@rystra/limits'
import { RystraError } from '@rystra/plugin'

const late = (): RystraError => new RystraError('stream.timeout', { detail: 'the other side allows no more streams' })

/** Streams that wait until the other side allows one more (MAX_STREAMS, RFC 9000 section 4.6). */
export class Waiting extends Waiters {
  readonly #admits: () => boolean

  /** @param timeout milliseconds a stream may wait */
  constructor(timeout: number, admits: () => boolean) {
    super({ timeout, late })
    this.#admits = admits
  }

  /** Calls `open` as soon as one more stream may be opened, at once if possible. Rejects with `stream.timeout`. */
  turn<Opened>(open: () => Opened, signal: AbortSignal | undefined): Promise<Opened> {
    return this.size === 0 && this.#admits() ? Promise.resolve(open()) : this.wait(open, signal)
  }

  /** More may be allowed now. */
  look(): void {
    while (this.size > 0 && this.#admits()) this.serve()
  }
}
