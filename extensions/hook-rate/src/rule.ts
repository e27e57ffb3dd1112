import { networkOf, pattern } from '@rystra/address'
import { bytesOf, durationOf, rateOf } from '@rystra/limits'
import { type Direction, type ProxySpec, RystraError, type SessionInfo, type VisitorInfo } from '@rystra/plugin'
import { BucketTable, type Limit } from './bucket-table.js'
import { defaults, type RuleOptions } from './options.js'

/** Countable events. */
export const counted = ['bytesToService', 'bytesToVisitor', 'streams', 'requests', 'handshakes'] as const
export type Counted = (typeof counted)[number]

/** The subject of a count: a stream or request; a handshake has only an address. */
export interface Subject {
  readonly proxy: ProxySpec
  readonly visitor: VisitorInfo
  readonly session: SessionInfo
}

/** Smallest byte burst: one read. */
const MIN_BURST_BYTES = 64 * 1024

/** Nothing is allowed. */
export const NEVER = Number.POSITIVE_INFINITY

const isBytes = (what: Counted): boolean => what === 'bytesToService' || what === 'bytesToVisitor'

/** Which bytes go in a direction. */
export const bytesOfDirection = (direction: Direction): Counted =>
  direction === 'toService' ? 'bytesToService' : 'bytesToVisitor'

/** The address of a visitor; behind another client that of the client, which is trusted more. */
const addressOf = ({ host, through }: VisitorInfo): string => networkOf(through?.peer.address ?? host)

/** Tells the connections of visitors apart; those by way of a client are numbered by that client. */
const connectionOf = ({ host, port, to, through }: VisitorInfo): string =>
  JSON.stringify([through?.id, host, port, to.host, to.port])

const oneOf = (texts: readonly string[] | undefined): ((value: string) => boolean) => {
  if (texts === undefined) return () => true
  const patterns = texts.map(pattern)
  return (value) => patterns.some((fits) => fits(value))
}

const refuse = (where: string, problem: string): never => {
  throw new RystraError('config.invalid', { detail: `${where}: ${problem}` })
}

/** A rule with its buckets. */
export class Rule {
  readonly per: RuleOptions['per']
  /** What it counts, without its limits. */
  readonly #subject: string
  /** Everything that its buckets depend on. */
  readonly #shape: string
  #table: BucketTable
  /** The column of a limit; -1 where nothing is allowed. */
  readonly #columns = new Map<Counted, number>()
  readonly #proxies: (value: string) => boolean
  readonly #kinds: (value: string) => boolean
  readonly #identities: (value: string) => boolean

  /** Throws `config.invalid` for rules without or with impossible limits. */
  constructor(options: RuleOptions, index: number, capacity: number) {
    const { per, proxies, kinds, identities } = options
    const where = `rules[${index}]`
    this.per = per
    this.#proxies = oneOf(proxies)
    this.#kinds = oneOf(kinds)
    this.#identities = oneOf(identities)
    const narrow = proxies !== undefined || kinds !== undefined || identities !== undefined
    if (options.handshakes !== undefined && (narrow || per === 'proxy' || per === 'identity'))
      refuse(where, 'handshakes can only be limited per visitor or in total, without filters')
    if (per === 'connection' && (options.handshakes !== undefined || options.streams !== undefined))
      refuse(where, 'a connection is one stream or handshake: limit bytes or requests per connection')
    const limits: Limit[] = []
    for (const what of counted) {
      const text = options[what]
      if (text === undefined) continue
      const rate = isBytes(what) ? bytesOf(text) : rateOf(text)
      const saved = (rate * durationOf(options.burst ?? defaults.burst)) / 1000
      const burst = Math.max(isBytes(what) ? MIN_BURST_BYTES : 1, saved)
      this.#columns.set(what, rate === 0 ? -1 : limits.push({ rate, burst }) - 1)
    }
    if (this.#columns.size === 0) refuse(where, `no limit given: expected one of ${counted.join(', ')}`)
    this.#table = new BucketTable(limits, per === 'total' ? 1 : capacity)
    this.#subject = JSON.stringify([per, proxies, kinds, identities])
    this.#shape = JSON.stringify([[...this.#columns], limits, capacity])
  }

  /**
   * Continues with the buckets of a rule that counted the same before a reload: shared with it where the limits are the
   * same, since its streams go on, and copied otherwise.
   */
  takeOver(previous: readonly Rule[], now: number): void {
    const before = previous.find((rule) => rule.#subject === this.#subject)
    if (before === undefined) return
    if (before.#shape === this.#shape) this.#table = before.#table
    else {
      const columns = [...this.#columns].filter(([, column]) => column >= 0)
      const old = columns.map(([what]) => before.#columns.get(what) ?? -1)
      this.#table.takeOver(before.#table, old, now)
    }
  }

  limits(what: Counted): boolean {
    return this.#columns.has(what)
  }

  concerns({ proxy, session }: Pick<Subject, 'proxy' | 'session'>): boolean {
    return this.#proxies(proxy.name) && this.#kinds(proxy.kind) && this.#identities(session.identity.id)
  }

  /** The key of the buckets that a stream or a request counts in. */
  keyOf({ proxy, visitor, session }: Subject): string {
    if (this.per === 'visitor') return addressOf(visitor)
    if (this.per === 'connection') return connectionOf(visitor)
    if (this.per === 'identity') return session.identity.id
    if (this.per === 'proxy') return JSON.stringify([session.identity.id, session.client.id, proxy.name])
    return ''
  }

  /** The key that a peer counts under. */
  keyOfPeer(address: string): string {
    return this.per === 'visitor' ? networkOf(address) : ''
  }

  /** Milliseconds until one more may come, {@link NEVER} included. Spends nothing. */
  wait(what: Counted, key: string, now: number): number {
    const column = this.#columns.get(what)
    if (column === undefined) return 0
    return column < 0 ? NEVER : this.#table.wait(this.#table.slot(key, now), column, 1, now)
  }

  /** Takes `count`, there or not, and answers with the milliseconds until the debt is paid. */
  spend(what: Counted, key: string, count: number, now: number): number {
    const column = this.#columns.get(what)
    if (column === undefined) return 0
    return column < 0 ? NEVER : this.#table.spend(this.#table.slot(key, now), column, count, now)
  }

  /** The same for one key, over and over: without a look-up as long as the key keeps its place. */
  spender(key: string): (what: Counted, count: number, now: number) => number {
    let slot = -1
    return (what, count, now) => {
      const column = this.#columns.get(what)
      if (column === undefined) return 0
      if (column < 0) return NEVER
      slot = this.#table.slot(key, now, slot)
      return this.#table.spend(slot, column, count, now)
    }
  }
}
