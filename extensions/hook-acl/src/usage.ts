import { TokenBucket } from '@rystra/limits'
import { type Direction, type Pacer, RystraError } from '@rystra/plugin'
import type { Quotas } from './rule.js'

const DAY = 86_400_000

/** Parties that are remembered though they have nothing: more, and those go that have used nothing today. */
const REMEMBERED = 10_000

/** A proxy that a party has, or asks for, and in which session. */
interface Held {
  readonly session: string
  readonly state: 'asked' | 'published'
}

/** What one party has now, and has used today. */
class Party {
  readonly proxies = new Map<string, Held>()
  streams = 0
  day = 0
  bytes = 0
  #bandwidth = 0
  #buckets: Record<Direction, TokenBucket> | undefined

  get idle(): boolean {
    return this.proxies.size === 0 && this.streams === 0
  }

  /** A new day begins with nothing; one that the clock went back to with what there was. */
  turn(now: number): void {
    const day = Math.floor(now / DAY)
    if (day > this.day) this.bytes = 0
    this.day = day
  }

  pace(bandwidth: number, bytes: number, direction: Direction, now: number): number {
    if (this.#buckets === undefined || this.#bandwidth !== bandwidth) {
      const burst = Math.max(64 * 1024, bandwidth / 4)
      this.#bandwidth = bandwidth
      this.#buckets = {
        toService: new TokenBucket(bandwidth, burst, now),
        toVisitor: new TokenBucket(bandwidth, burst, now)
      }
    }
    return this.#buckets[direction].spend(bytes, now)
  }
}

const spent = (party: string): RystraError =>
  new RystraError('stream.limit', { side: 'server', detail: `the bytes of the day are used up, of ${party}` })

/** What everybody has and uses, on one server. Outlasts reloads, whatever they change. */
export class Usage {
  readonly #parties = new Map<string, Party>()
  /** Streams that are counted, with who has them. */
  readonly #streams = new Map<string, Party>()

  get size(): number {
    return this.#parties.size
  }

  #of(name: string, now: number): Party {
    let party = this.#parties.get(name)
    if (party === undefined) {
      if (this.#parties.size >= REMEMBERED) this.#forget(now)
      party = new Party()
      this.#parties.set(name, party)
    }
    party.turn(now)
    return party
  }

  #forget(now: number): void {
    for (const [name, party] of this.#parties) {
      party.turn(now)
      if (party.idle && party.bytes === 0) this.#parties.delete(name)
    }
  }

  /**
   * Counts a proxy that a session asks for. Answers with whether the party may have it. One that it has costs nothing
   * more: a second of one name is for the server to refuse, and a client that comes back has it still.
   */
  ask(name: string, proxy: string, session: string, { proxies }: Quotas, now: number): boolean {
    const party = this.#of(name, now)
    if (party.proxies.has(proxy)) return true
    if (party.proxies.size >= proxies) return false
    party.proxies.set(proxy, { session, state: 'asked' })
    return true
  }

  published(name: string, proxy: string, session: string, now: number): void {
    this.#of(name, now).proxies.set(proxy, { session, state: 'published' })
  }

  /** A proxy that came to nothing; not the one of the same name that is there. */
  refused(name: string, proxy: string, session: string): void {
    const held = this.#parties.get(name)?.proxies.get(proxy)
    if (held?.state === 'asked') this.gone(name, proxy, session)
  }

  gone(name: string, proxy: string, session: string): void {
    const proxies = this.#parties.get(name)?.proxies
    if (proxies?.get(proxy)?.session === session) proxies.delete(proxy)
  }

  /** What speaks against one more stream; seconds until it may be tried again. Counts it otherwise. */
  open(name: string, stream: string, quotas: Quotas, now: number): { deny: string; retryAfter: number } | undefined {
    const party = this.#of(name, now)
    if (party.bytes >= quotas.bytesPerDay)
      return { deny: 'the bytes of the day are used up', retryAfter: Math.ceil((DAY - (now % DAY)) / 1000) }
    if (party.streams >= quotas.streams) return { deny: 'too many connections', retryAfter: 1 }
    // Another instance may have counted it.
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

  /** Slows down to the bandwidth, counts bytes, and resets the stream when those of the day are used up. */
  pacer(name: string, { bandwidth, bytesPerDay }: Quotas, now: () => number): Pacer | undefined {
    if (bandwidth === Number.POSITIVE_INFINITY && bytesPerDay === Number.POSITIVE_INFINITY) return undefined
    const party = this.#of(name, now())
    return (bytes, direction) => {
      const time = now()
      party.turn(time)
      party.bytes += bytes
      if (party.bytes > bytesPerDay || bandwidth === 0) throw spent(name)
      return bandwidth === Number.POSITIVE_INFINITY ? 0 : party.pace(bandwidth, bytes, direction, time)
    }
  }
}
