import { background, type Clock, type Logger } from '@rystra/plugin'
import { errors } from 'jose'
import { fetchText } from './fetch-text.js'
import { asymmetric, jwksKeys, type KeySet, type KeySource, type KeyQuery } from './keys.js'
import type { JwksCache } from './options.js'

/** Retry interval without any keys. */
const RETRY_MS = 5_000

/**
 * Keys at a URL, fetched when they are old and when a token names an unknown one. Fetches are at least the cooldown
 * apart and shared by all waiting callers. Old keys stay valid for a time while fetching fails.
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

  /** Starts fetching without waiting: the server must start without its identity provider. */
  async load(): Promise<void> {
    background(Promise.resolve(this.#fetch()), this.log, `no keys from ${this.url}`)
  }

  stop(): void {
    this.#stop.abort(new Error('stopped'))
  }

  async find(query: KeyQuery): ReturnType<KeySet['find']> {
    const { maxAge, keep } = this.cache
    if (this.#age > maxAge) await this.#fetch()
    const keys = this.#keys
    if (keys === undefined || this.#age > maxAge + keep) throw new Error(`no keys from ${this.url}`)
    try {
      return await keys.find(query)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      await this.#fetch()
      if (this.#keys === keys) throw error
      return (this.#keys ?? keys).find(query)
    }
  }

  get #age(): number {
    return Math.abs(this.clock.now() - this.#fetched)
  }

  /** Fetches, or shares a fetch in progress; does nothing within the cooldown. */
  #fetch(): Promise<void> | undefined {
    const { cooldown, maxAge, keep } = this.cache
    const pause = this.#age > maxAge + keep ? Math.min(cooldown, RETRY_MS) : cooldown
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
      this.log.warn(`${this.url}: ${message}${this.#keys === undefined ? '' : '; keeping the previous keys'}`)
    }
  }
}
