import { RystraError } from '@rystra/model'

/** Requests of a client that wait for their turn: registrations are carried out one by one. */
const MAX_QUEUED = 4096

/** Bytes of requests that wait: thousands of proxies as people write them, or some that are huge. */
const MAX_QUEUED_BYTES = 2 * 1024 * 1024

/** Requests after which other work of the server gets its turn. */
const REQUESTS_PER_TURN = 16

/** Carries out the requests of one client, one after the other. */
export class RequestQueue {
  #last: Promise<void> = Promise.resolve()
  #queued = 0
  #bytes = 0
  #handled = 0
  readonly #failed: (error: unknown) => void

  /** @param failed is given what a request throws; the next is carried out all the same */
  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Throws `proxy.limit` when too many wait. */
  push(bytes: number, work: () => Promise<void>): void {
    if (this.#queued >= MAX_QUEUED || this.#bytes > MAX_QUEUED_BYTES) {
      throw new RystraError('proxy.limit', { side: 'client', detail: 'too many at once' })
    }
    this.#queued += 1
    this.#bytes += bytes
    const handle = async (): Promise<void> => {
      this.#queued -= 1
      this.#bytes -= bytes
      this.#handled += 1
      if (this.#handled % REQUESTS_PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve))
      await work()
    }
    this.#last = this.#last.then(handle).catch(this.#failed)
  }
}
