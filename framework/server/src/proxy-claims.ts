import type { Claim } from '@rystra/plugin'
import type { Claims } from './claims.js'
import type { Holder } from './owner.js'

/** What one proxy claims of hosts and names. */
export class ProxyClaims {
  readonly #proxy: Holder
  readonly #claims: Claims
  readonly #taken = new Map<string, { readonly value: unknown; readonly what: string }>()

  constructor(proxy: Holder, claims: Claims) {
    this.#proxy = proxy
    this.#claims = claims
  }

  /** Rejects with `proxy.claimed`. @param what What an error names */
  async take<Value>(key: string, value: Value, what: string): Promise<Claim<Value>> {
    const held = await this.#claims.take(key, { proxy: this.#proxy, value }, { code: 'proxy.claimed', what })
    this.#taken.set(key, { value, what })
    return held
  }

  /** Takes back what a successor had got, which failed. */
  async restore(): Promise<void> {
    for (const [key, { value, what }] of this.#taken) await this.take(key, value, what)
  }

  /** Gives one back. */
  drop(key: string): Promise<void> {
    this.#taken.delete(key)
    return this.#claims.drop(key, this.#proxy)
  }

  /** Gives all back. */
  dropAll(): Promise<void>[] {
    return [...this.#taken.keys()].map((key) => this.drop(key))
  }
}
