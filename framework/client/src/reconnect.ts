import type { RystraError } from '@rystra/model'
import { Backoff } from '@rystra/session'
import type { ClientState } from './state.js'

/** Milliseconds a session on which no stream came has to last before its loss counts as the first again. */
const SETTLED_MS = 1000

/** Refusals in a row from which on the token is likely to be an old one, so that trying often does not help. */
const REFUSALS = 3

/** Longest delay right after the loss of a session: most outages are restarts of the server. */
const SHORT_MS = 1000

/** Later the longest delay is this part of the outage, so that it is prolonged by no more, up to the configured one. */
const OUTAGE_PART = 1 / 20

/** Longest delay after such refusals, in longest delays of {@link Backoff}. */
const REFUSED_FACTOR = 10

/** Between two reports of one outage, of which every try fails in the same way. */
const REPORT_MS = 60_000

/** What is known besides the error of a try. */
export interface WaitOptions {
  readonly refused?: boolean
  /** Sessions with other servers that are up. @default 0 */
  readonly sessions?: number
}

/** When a client dials again, and when it gives up. */
export class Reconnect {
  readonly #state: ClientState
  readonly #stop: AbortSignal
  readonly #backoff: Backoff
  /** Dials in a row that ended with a refusal to authenticate. */
  #refusals = 0
  #since = 0
  #atOnce = false
  /** When the outage began: with the loss of a session that had lasted, or of the first. */
  #lostAt: number | undefined
  /** What was reported last of this outage, and when. */
  #reported: { readonly code: string; readonly at: number } | undefined
  /** Whether there has been a session, of this or of another slot. */
  proven = false

  constructor(state: ClientState, stop: AbortSignal) {
    this.#state = state
    this.#stop = stop
    this.#backoff = new Backoff(state.config.reconnect)
  }

  /** A session is up. */
  connected(): void {
    this.proven = true
    this.#refusals = 0
    this.#since = this.#state.clock.now()
  }

  /**
   * A session is over. After one that was of use the next is dialed at once. Returns whether it was.
   *
   * @param served whether streams came on it
   */
  lost(served: boolean): boolean {
    const now = this.#state.clock.now()
    if (!served && now - this.#since < SETTLED_MS) {
      // The outage goes on: a server that is restarted twice in a row must not be waited for longer than one that was away.
      this.#lostAt ??= now
      return false
    }
    this.#backoff.reset()
    this.#reported = undefined
    this.#atOnce = true
    this.#lostAt = now
    return true
  }

  /**
   * Before the first session an error that cannot pass by itself is a mistake in what this client was told. Afterwards it
   * has worked once, and whatever is in the way, a captive portal or a server with the wrong configuration, may go again;
   * all but a successor under the same id.
   */
  isFinal(error: RystraError): boolean {
    return this.proven ? error.code === 'session.replaced' : !error.retryable
  }

  /** Whether a dial that failed so was the last. */
  endsWith(error: RystraError): boolean {
    return this.isFinal(error) || this.#backoff.attempts >= this.#state.config.reconnect.attempts
  }

  /** Longest delay as long as the outage is young. */
  get #limit(): number {
    if (this.#lostAt === undefined) return Number.POSITIVE_INFINITY
    return Math.max(SHORT_MS, (this.#state.clock.now() - this.#lostAt) * OUTAGE_PART)
  }

  #delayAfter(refused: boolean): number {
    const delay = this.#atOnce ? this.#backoff.skip() : this.#backoff.next(this.#limit)
    this.#atOnce = false
    this.#refusals = refused ? this.#refusals + 1 : 0
    if (this.#refusals < REFUSALS) return delay
    const factor = Math.min(REFUSED_FACTOR, this.#refusals - REFUSALS + 1)
    return Math.round(this.#state.config.reconnect.max * factor * (0.5 + Math.random() / 2))
  }

  /** Whether it is the first of an outage, fails in another way than before, or the last report was a minute ago. */
  #isNotable({ code }: RystraError): boolean {
    const at = this.#state.clock.now()
    const last = this.#reported
    if (last !== undefined && last.code === code && at - last.at < REPORT_MS) return false
    this.#reported = { code, at }
    return true
  }

  /**
   * Says so, and waits for the next try, or for the stop. One try is a round over all servers.
   *
   * @param refused whether a server refused the credentials. @default as the error says
   */
  wait(error: RystraError, { refused = error.code === 'auth.refused', sessions = 0 }: WaitOptions = {}): Promise<void> {
    const { log, clock, events } = this.#state
    const delay = this.#delayAfter(refused)
    const attempt = this.#backoff.attempts
    const notable = this.#isNotable(error)
    // A further session is a reserve: to look for its server is no trouble of the client.
    if (error.code === 'session.duplicate') log.debug({ err: error, attempt, delay }, 'no further server')
    else {
      const fields = { err: error, attempt, delay, sessions }
      if (notable) log.warn(fields, 'no session; trying again')
      else log.debug(fields, 'no session; trying again')
      events.emit('reconnecting', { attempt, delay, error, sessions, notable })
    }
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#stop.removeEventListener('abort', done)
        resolve()
      }
      const cancel = clock.after(delay, done)
      this.#stop.addEventListener('abort', done)
    })
  }
}
