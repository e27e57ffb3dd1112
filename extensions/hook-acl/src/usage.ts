import { TokenBucket } from '@rystra/limits'
import { type Direction, type Pacer, RystraError, type RuntimeCluster } from '@rystra/plugin'
import type { Quotas } from './rule.js'
import { SharedQuotas } from './shared-quotas.js'

const DAY_MS = 86_400_000

/** Idle accounts that are kept; beyond it those without bytes today are removed. */
const MAX_IDLE_PARTIES = 10_000

/** A proxy of an account, registered or requested, and its session. */
interface ProxyClaim {
  readonly session: string
  readonly state: 'requested' | 'published'
}

/** Current use of one account, and its bytes of today. */
class Party {
  readonly proxies = new Map<string, ProxyClaim>()
  streams = 0
  day = 0
  bytes = 0
  readonly shared: SharedQuotas
  #bandwidth = 0
  #buckets: Record<Direction, TokenBucket> | undefined

  /** @param time that of the clock */
  constructor(name: string, time: () => number) {
    const bytes = (): number => {
      this.turn(time())
      return this.bytes
    }
    this.shared = new SharedQuotas(name, { proxies: () => this.proxies.size, streams: () => this.streams, bytes })
  }

  get idle(): boolean {
    return this.proxies.size === 0 && this.streams === 0
  }

  /** A new day resets the bytes; a clock set back does not. */
  turn(now: number): void {
    const day = Math.floor(now / DAY_MS)
    if (day > this.day) this.bytes = 0
    this.day = day
  }

  pace(bandwidth: number, bytes: number, direction: Direction, now: number): number {
    const burst = Math.max(64 * 1024, bandwidth / 4)
    this.#buckets ??= {
      toService: new TokenBucket(bandwidth, burst, now),
      toVisitor: new TokenBucket(bandwidth, burst, now)
    }
    if (this.#bandwidth !== bandwidth) {
      for (const bucket of Object.values(this.#buckets)) bucket.set(bandwidth, burst, now)
      this.#bandwidth = bandwidth
    }
    return this.#buckets[direction].spend(bytes, now)
  }
}

const spent = (party: string): RystraError =>
  new RystraError('stream.limit', { side: 'server', detail: `daily byte quota of ${party} reached` })

/** Use of all accounts of one server; in a cluster their quotas hold for all servers together. Survives reloads. */
export class Usage {
  readonly #cluster: () => RuntimeCluster | undefined
  readonly #time: () => number
  readonly #parties = new Map<string, Party>()
  /** Counted streams and their accounts. */
  readonly #streams = new Map<string, Party>()

  /** @param time that of the clock, by which a day begins at other servers too */
  constructor(cluster: () => RuntimeCluster | undefined = () => undefined, time: () => number = Date.now) {
    this.#cluster = cluster
    this.#time = time
  }

  get size(): number {
    return this.#parties.size
  }

  #of(name: string, now: number): Party {
    let party = this.#parties.get(name)
    if (party === undefined) {
      if (this.#parties.size >= MAX_IDLE_PARTIES) this.#forget(now)
      party = new Party(name, this.#time)
      this.#parties.set(name, party)
    }
    party.turn(now)
    return party
  }

  #forget(now: number): void {
    for (const [name, party] of this.#parties) {
      party.turn(now)
      if (!party.idle || party.bytes > 0) continue
      this.#parties.delete(name)
      party.shared.close()
    }
  }

  /** Asks the other servers for one more of a quota, if this one has to. Then {@link request} or {@link open} says what came of it. */
  ask(
    name: string,
    what: 'proxies' | 'streams',
    { bytesPerDay, ...quotas }: Quotas,
    now: number
  ): Promise<unknown> | undefined {
    const cluster = this.#cluster()
    if (cluster === undefined) return undefined
    const { shared } = this.#of(name, now)
    const counted = shared.ask(what, quotas[what], cluster)
    const bytes = what === 'streams' ? shared.ask('bytes', bytesPerDay, cluster) : undefined
    return counted === undefined ? bytes : Promise.all([counted, bytes])
  }

  /**
   * Counts a requested proxy; returns whether the quota allows it. A proxy that the account has costs nothing more: a
   * duplicate name is for the server to refuse, and a reconnecting client still has it.
   */
  request(name: string, proxy: string, session: string, { proxies }: Quotas, now: number): boolean {
    const party = this.#of(name, now)
    if (party.proxies.has(proxy)) return true
    if (party.proxies.size >= party.shared.allowance('proxies', proxies, this.#cluster())) return false
    party.proxies.set(proxy, { session, state: 'requested' })
    return true
  }

  published(name: string, proxy: string, session: string, now: number): void {
    this.#of(name, now).proxies.set(proxy, { session, state: 'published' })
  }

  /** A refused registration; a published proxy of the same name stays. */
  refused(name: string, proxy: string, session: string): void {
    const claim = this.#parties.get(name)?.proxies.get(proxy)
    if (claim?.state === 'requested') this.gone(name, proxy, session)
  }

  gone(name: string, proxy: string, session: string): void {
    const proxies = this.#parties.get(name)?.proxies
    if (proxies?.get(proxy)?.session === session) proxies.delete(proxy)
  }

  /** The refusal of one more stream, with seconds until a retry; `undefined` while there is room. */
  exceeded(name: string, quotas: Quotas, now: number): { deny: string; retryAfter: number } | undefined {
    const party = this.#of(name, now)
    if (party.bytes >= party.shared.allowance('bytes', quotas.bytesPerDay, this.#cluster()))
      return { deny: 'daily byte quota reached', retryAfter: Math.ceil((DAY_MS - (now % DAY_MS)) / 1000) }
    const allowance = party.shared.allowance('streams', quotas.streams, this.#cluster())
    return party.streams >= allowance ? { deny: 'too many connections', retryAfter: 1 } : undefined
  }

  /** Counts one more stream, or returns the refusal with seconds until a retry. */
  open(name: string, stream: string, quotas: Quotas, now: number): { deny: string; retryAfter: number } | undefined {
    const denied = this.exceeded(name, quotas, now)
    if (denied !== undefined) return denied
    const party = this.#of(name, now)
    // Another instance may have counted the stream.
    if (this.#streams.has(stream)) return undefined
    party.streams += 1
    this.#streams.set(stream, party)
    return undefined
  }

  close(stream: string): void {
    const party = this.#streams.get(stream)
    if (party === undefined) return
    this.#streams.delete(stream)
    party.streams -= 1
  }

  /** Paces to the bandwidth, counts bytes, and resets the stream when the daily quota is reached. */
  pacer(name: string, { bandwidth, bytesPerDay }: Quotas, now: () => number): Pacer | undefined {
    if (bandwidth === Number.POSITIVE_INFINITY && bytesPerDay === Number.POSITIVE_INFINITY) return undefined
    const party = this.#of(name, now())
    return (bytes, direction) => {
      const time = now()
      party.turn(time)
      party.bytes += bytes
      const cluster = this.#cluster()
      const wait = party.shared.wait(bytesPerDay, cluster)
      if (wait === undefined || bandwidth === 0) throw spent(name)
      if (bandwidth === Number.POSITIVE_INFINITY) return wait
      party.shared.bytes += bytes
      return Math.max(wait, party.pace(party.shared.bandwidth(bandwidth, cluster), bytes, direction, time))
    }
  }
}
