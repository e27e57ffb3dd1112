import type { Clock, Logger } from '@rystra/plugin'
import { errors } from 'jose'
import { fetchText } from './fetch-text.js'
import { asymmetric, jwksKeys, type KeySet, type KeySource, type KeyWanted } from './keys.js'
import type { JwksCache } from './options.js'

/** Milliseconds after which it is tried again when there are no keys at all. */
const RETRY = 5_000

/**
 * Keys behind a URL. They are fetched when they are too old, and when a token names one that is not among them; between
 * two fetches there is always the cooldown, however many unknown keys are asked for, and all who wait share one fetch.
 * While nothing better can be had, old keys count for a time.
 */
export class RemoteKeys implements KeySource {
  readonly algorithms = asymmetric
  readonly #stop = new AbortController()
  #keys: KeySet | undefined
  #fetched = Number.NEGATIVE_INFINITY
  #tried = Number.NEGATIVE_INFINITY
  #pending: Promise<void> | undefined

  constructor(
    private readonly url: URL,
    private readonly cache: JwksCache,
    private readonly log: Logger,
    private readonly clock: Clock
  ) {}

  /** Begins to fetch, and waits for nothing: the server has to start without its identity provider, too. */
  async load(): Promise<void> {
    void this.#fetch()
  }

  stop(): void {
    this.#stop.abort(new Error('stopped'))
  }

  async find(wanted: KeyWanted): ReturnType<KeySet['find']> {
    const { maxAge, keep } = this.cache
    if (this.#age > maxAge) await this.#fetch()
    const keys = this.#keys
    if (keys === undefined || this.#age > maxAge + keep) throw new Error(`${this.url} gives no keys`)
    try {
      return await keys.find(wanted)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await this.#fetch()
      if (this.#keys === keys) throw error
      return (this.#keys ?? keys).find(wanted)
    }
  }

  get #age(): number {
    return Math.abs(this.clock.now() - this.#fetched)
  }

  /** Fetches, or joins who does; does nothing within the cooldown. */
  #fetch(): Promise<void> | undefined {
    const { cooldown, maxAge, keep } = this.cache
    const pause = this.#age > maxAge + keep ? Math.min(cooldown, RETRY) : cooldown
    if (this.#pending === undefined && Math.abs(this.clock.now() - this.#tried) >= pause) {
      this.#tried = this.clock.now()
      this.#pending = this.#replace().finally(() => {
        this.#pending = undefined
      })
    }
    return this.#pending
  }

  async #replace(): Promise<void> {
    try {
      const text = await fetchText(this.url, this.cache.timeout, this.clock, this.#stop.signal)
      this.#keys = jwksKeys(text)
      this.#fetched = this.clock.now()
    } catch (error) {
      if (this.#stop.signal.aborted) return
      const { message } = error as Error
      this.log.warn(
        `${this.url}: ${message}${this.#keys === undefined ? '' : '; the keys from before hold for a time'}`
      )
    }
  }
}
