import { type ErrorCode, RystraError } from '@rystra/model'
import type { ProxyOwner } from './owner.js'
import type { ServerState } from './state.js'

/** Milliseconds for which a member that could not serve comes last. */
const RECENTLY_FAILED_MS = 5000

/** Errors that are the member's own, and not the visitor's. */
const memberErrors: ReadonlySet<string> = new Set<ErrorCode>([
  'mux.closed',
  'session.lost',
  'session.timeout',
  'stream.service-unreachable',
  'stream.timeout',
  'stream.unknown-proxy'
])

/** What came of opening streams of one proxy. */
export class Failures {
  readonly #owner: ProxyOwner
  readonly #state: ServerState
  #until = 0

  constructor(owner: ProxyOwner, state: ServerState) {
    this.#owner = owner
    this.#state = state
  }

  /** Whether a stream failed a moment ago, so that others of a group should be asked first. */
  get recent(): boolean {
    return this.#state.clock.now() < this.#until
  }

  /** A stream was opened, or failed. */
  count(error?: RystraError): void {
    if (error === undefined) this.#until = 0
    else if (memberErrors.has(error.code)) this.#until = this.#state.clock.now() + RECENTLY_FAILED_MS
    if (error?.code !== 'stream.timeout') return
    this.#probe().catch((err: unknown) =>
      this.#state.log.warn({ err }, 'a client that does not answer could not be probed')
    )
  }

  /** A client that does not answer at all is gone, though its session may not know it yet. */
  async #probe(): Promise<void> {
    if (await this.#owner.probe(this.#state.config.takeoverTimeout)) return
    await this.#owner.evict(new RystraError('session.timeout', { side: 'client', detail: 'it does not answer' }))
  }
}
