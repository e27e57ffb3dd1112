import { TokenBucket } from '@rystra/limits'
import type { Clock, Details } from '@rystra/plugin'
import { encode } from '@rystra/protocol'

/** Notices to one client in a second, and at once: what a person can still read, and a test of load does not care for. */
const RATE = 500
const BURST = 1000

/**
 * Milliseconds in which they are gathered: a write for each would cost a good part of the request that it is about, and the
 * delay is not visible.
 */
const GATHER_MS = 20

/** What kinds tell a client about its proxies. Not more than is of use, and some in one write. */
export class Notices {
  readonly #clock: Clock
  readonly #send: (frames: Uint8Array) => void
  readonly #bucket: TokenBucket
  #gathered: Uint8Array[] = []
  #cancel: (() => void) | undefined
  #lost = 0

  constructor(clock: Clock, send: (frames: Uint8Array) => void) {
    this.#clock = clock
    this.#send = send
    this.#bucket = new TokenBucket(RATE, BURST, clock.now())
  }

  /** Throws what encoding throws. */
  tell(proxy: string, notice: Details): void {
    if (!this.#bucket.take(1, this.#clock.now())) {
      this.#lost += 1
      return
    }
    const lost = this.#lost
    this.#gathered.push(encode({ type: 'Notice', proxy, notice: lost === 0 ? notice : { ...notice, lost } }))
    this.#lost = 0
    this.#cancel ??= this.#clock.after(GATHER_MS, () => this.flush())
  }

  /** Sends what is there. */
  flush(): void {
    this.stop()
    const gathered = this.#gathered
    this.#gathered = []
    if (gathered.length > 0) this.#send(Buffer.concat(gathered))
  }

  /** Sends nothing by itself any more. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }
}
