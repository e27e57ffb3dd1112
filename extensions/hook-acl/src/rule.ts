import { networks, type PortRange, parsePortRange, pattern } from '@rystra/address'
import { bytesOf } from '@rystra/limits'
import { type Identity, RystraError } from '@rystra/plugin'
import { plainHost } from './area.js'
import type { RuleOptions } from './options.js'

/** Quotas of an account. */
export interface Quotas {
  readonly proxies: number
  readonly streams: number
  /** Bytes per second in each direction. */
  readonly bandwidth: number
  /** Bytes in both directions. */
  readonly bytesPerDay: number
}

const none = Number.POSITIVE_INFINITY

const anyOf = (texts: readonly string[]): ((value: string) => boolean) => {
  const matches = texts.map(pattern)
  return (value) => matches.some((one) => one(value))
}

const has = (rights: Readonly<Record<string, unknown>>, name: string, value: unknown): boolean => {
  const own = Object.hasOwn(rights, name) ? rights[name] : undefined
  return Array.isArray(own) ? own.includes(value) : own === value
}

const portsOf = (range: string | number, where: string): PortRange => {
  try {
    return parsePortRange(range)
  } catch (error) {
    throw new RystraError('config.invalid', { detail: `${where}: ${(error as Error).message}, got ${range}` })
  }
}

const visitorsOf = ({ visitors, denyVisitors }: RuleOptions, index: number): Rule['visitors'] => {
  if (visitors === undefined && denyVisitors === undefined) return undefined
  const allowed = visitors === undefined ? () => true : networks(visitors, `rules[${index}].visitors`)
  const denied = networks(denyVisitors ?? [], `rules[${index}].denyVisitors`)
  return (address) => allowed(address) && !denied(address)
}

/** One rule: the identities it is for, and what they may do. */
export class Rule {
  readonly denies: boolean
  readonly kinds: readonly string[] | undefined
  readonly ports: readonly PortRange[] | undefined
  readonly hosts: readonly string[] | undefined
  readonly names: readonly string[] | undefined
  /** Whether visitors of this address may come; not there when the rule says nothing of them. */
  readonly visitors: ((address: string) => boolean) | undefined
  readonly quotas: Quotas
  /** Whether its quotas concern streams. */
  readonly meters: boolean
  readonly #identities: ((id: string) => boolean) | undefined
  readonly #tenant: string | undefined
  readonly #rights: readonly (readonly [string, unknown])[]

  /** Throws `config.invalid`. */
  constructor(options: RuleOptions, index: number) {
    const { identities, tenant, rights = {}, deny = false, kinds, ports, hosts, names, quotas = {} } = options
    const { proxies = none, streams = none, bandwidth, bytesPerDay } = quotas
    this.#identities = identities === undefined ? undefined : anyOf(identities)
    this.#tenant = tenant
    this.#rights = Object.entries(rights)
    this.denies = deny
    this.kinds = kinds
    this.ports = ports?.map((range) => portsOf(range, `rules[${index}].ports`))
    this.hosts = hosts?.map(plainHost)
    this.names = names
    this.visitors = visitorsOf(options, index)
    this.quotas = {
      proxies,
      streams,
      bandwidth: bandwidth === undefined ? none : bytesOf(bandwidth),
      bytesPerDay: bytesPerDay === undefined ? none : bytesOf(bytesPerDay)
    }
    this.meters = streams !== none || bandwidth !== undefined || bytesPerDay !== undefined
  }

  isFor({ id, rights = {} }: Identity, tenant: string | undefined): boolean {
    if (this.#identities?.(id) === false) return false
    if (this.#tenant !== undefined && this.#tenant !== tenant) return false
    return this.#rights.every(([name, value]) => has(rights, name, value))
  }
}
