import { type Claim, RystraError } from '@rystra/plugin'
import { wildcardsOver } from './names.js'

interface Route<Value> {
  readonly owner: string
  readonly claim: Claim<Value>
  /** Proxies that hold it: one, or the members of a group. */
  holders: number
}

/**
 * Which proxies answer for which names. A lookup takes as many steps as a name has labels.
 *
 * A name is one identity's, and so is all that a wildcard covers: who could put a nearer name in between would get the
 * visitors of somebody else.
 */
export class Routes<Value> {
  readonly #routes = new Map<string, Route<Value>>()
  /** By wildcard, how many names each identity has below it. */
  readonly #below = new Map<string, Map<string, number>>()

  /** Names that there are. */
  get size(): number {
    return this.#routes.size
  }

  /** Throws `proxy.claimed` when `host` is another identity's, or would cover or cut into what is. */
  check(host: string, owner: string): void {
    const refuse = (what: string): never => {
      throw new RystraError('proxy.claimed', { side: 'server', detail: `${host}${what}` })
    }
    const there = this.#routes.get(host)
    if (there !== undefined && there.owner !== owner) refuse('')
    for (const wildcard of wildcardsOver(host)) {
      const over = this.#routes.get(wildcard)
      if (over !== undefined && over.owner !== owner) refuse(', which is below a wildcard of somebody else')
    }
    for (const other of this.#below.get(host)?.keys() ?? []) {
      if (other !== owner) refuse(', which has hosts of somebody else below it')
    }
  }

  /** Adds a holder of `host`; the answer takes it away. Throws as {@link check} does. */
  add(host: string, owner: string, claim: Claim<Value>): () => void {
    this.check(host, owner)
    let route = this.#routes.get(host)
    if (route === undefined) this.#count(host, owner, 1)
    // The claim is new when all who held the one before are gone without having been taken away yet.
    if (route?.claim !== claim) route = { owner, claim, holders: 0 }
    this.#routes.set(host, route)
    route.holders += 1
    return () => this.#leave(host, route)
  }

  #leave(host: string, route: Route<Value>): void {
    route.holders -= 1
    if (route.holders > 0 || this.#routes.get(host) !== route) return
    this.#routes.delete(host)
    this.#count(host, route.owner, -1)
  }

  #count(host: string, owner: string, change: 1 | -1): void {
    for (const wildcard of wildcardsOver(host)) {
      const owners = this.#below.get(wildcard) ?? new Map<string, number>()
      const count = (owners.get(owner) ?? 0) + change
      if (count > 0) owners.set(owner, count)
      else owners.delete(owner)
      if (owners.size > 0) this.#below.set(wildcard, owners)
      else this.#below.delete(wildcard)
    }
  }

  /** Who holds exactly this name. */
  exact(host: string): Claim<Value> | undefined {
    return this.#routes.get(host)?.claim
  }

  /** Who holds the nearest wildcard over it. */
  covering(host: string): Claim<Value> | undefined {
    for (const wildcard of wildcardsOver(host)) {
      const claim = this.#routes.get(wildcard)?.claim
      if (claim !== undefined) return claim
    }
    return undefined
  }
}
