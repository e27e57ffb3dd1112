import { clientKey } from '@rystra/cluster'
import type { Clock } from '@rystra/plugin'
import type { FollowedProxy, Moves } from './follow-client.js'

/** Visitors that wait for a client at a time; one more is refused at once. */
const MAX_WAITING = 1024

const keyOf = ({ session, spec }: FollowedProxy): string => `${clientKey(session)}\n${spec.name}`

/** Finds the proxies of clients that have moved from one server of the cluster to another. */
export class ClientMoves<Proxy extends FollowedProxy> implements Moves<Proxy> {
  readonly followTimeout: number
  readonly #find: (of: FollowedProxy) => Iterable<Proxy>
  readonly #clock: Clock
  readonly #waiting = new Map<string, Set<() => void>>()
  #count = 0

  /** @param find What is published of the same name and client. */
  constructor(find: (of: FollowedProxy) => Iterable<Proxy>, followTimeout: number, clock: Clock) {
    this.followTimeout = followTimeout
    this.#find = find
    this.#clock = clock
  }

  async successor(of: FollowedProxy, tried: ReadonlySet<Proxy>, ms: number): Promise<Proxy | undefined> {
    const found = this.#untried(of, tried)
    if (found !== undefined || ms <= 0 || this.#count >= MAX_WAITING) return found
    const key = keyOf(of)
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(key) ?? new Set()
      const settle = (proxy: Proxy | undefined): void => {
        cancel()
        this.#count -= 1
        waiting.delete(check)
        if (waiting.size === 0) this.#waiting.delete(key)
        resolve(proxy)
      }
      const check = (): void => {
        const proxy = this.#untried(of, tried)
        if (proxy !== undefined) settle(proxy)
      }
      const cancel = this.#clock.after(ms, () => settle(undefined))
      this.#count += 1
      this.#waiting.set(key, waiting.add(check))
    })
  }

  /** A proxy was published: at this server, or at another one and here as well. */
  published(proxy: FollowedProxy): void {
    for (const check of [...(this.#waiting.get(keyOf(proxy)) ?? [])]) check()
  }

  #untried(of: FollowedProxy, tried: ReadonlySet<Proxy>): Proxy | undefined {
    for (const proxy of this.#find(of)) if (!tried.has(proxy)) return proxy
    return undefined
  }
}
