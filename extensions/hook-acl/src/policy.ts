import { formatPorts, networks, type PortRange, pattern } from '@rystra/address'
import type { Deny, Identity, ProxySpec } from '@rystra/plugin'
import { hostCovers, hostsMeet, nameCovers, overlaps, sizeOf, without } from './area.js'
import type { AclOptions } from './options.js'
import { Rule } from './rule.js'
import { type Claimed, claimedBy } from './claimed.js'

const all: readonly PortRange[] = [{ from: 1, to: 65_535 }]

/** The result for a spec: a refusal, or the remaining ports where they are restricted. */
export type Verdict = Deny | { readonly ports: readonly PortRange[] | undefined }

/**
 * The policy. The first rule that matches an identity applies. What another rule names more specifically (a host within
 * a wildcard, a smaller range of ports, a narrower name pattern) is reserved for its identities.
 */
export class Policy {
  readonly #rules: readonly Rule[]
  /** What `reserved` names, as a rule that is for no identity. */
  readonly #reserved: Rule
  /** Whether visitors of this address may not come at all. */
  readonly deniesVisitor: (address: string) => boolean
  /** Whether identities without a rule are allowed everything. */
  readonly open: boolean
  readonly #tenants: readonly (readonly [string, (id: string) => boolean])[]
  readonly #baseDomain: string

  constructor({ rules, default: otherwise, tenants, baseDomain, reserved, denyVisitors }: AclOptions) {
    this.#rules = rules.map((rule, index) => new Rule(rule, index))
    this.#reserved = new Rule({ ...reserved, identities: [] }, rules.length)
    this.deniesVisitor = networks(denyVisitors, 'denyVisitors')
    this.open = otherwise === 'allow'
    this.#baseDomain = baseDomain
    this.#tenants = Object.entries(tenants).flatMap(([tenant, ids]) => ids.map((id) => [tenant, pattern(id)] as const))
  }

  /** The tenant of an identity, if any. */
  tenantOf({ id, rights }: Identity): string | undefined {
    const own = rights !== undefined && Object.hasOwn(rights, 'tenant') ? rights['tenant'] : undefined
    if (typeof own === 'string' && own !== '') return own
    return this.#tenants.find(([, matches]) => matches(id))?.[0]
  }

  /** The quota account of an identity: its tenant, or itself. */
  partyOf(identity: Identity): string {
    const tenant = this.tenantOf(identity)
    return tenant === undefined ? `identity ${identity.id}` : `tenant ${tenant}`
  }

  /** The rule for an identity. */
  ruleFor(identity: Identity): Rule | undefined {
    const tenant = this.tenantOf(identity)
    return this.#rules.find((rule) => rule.isFor(identity, tenant))
  }

  /** Judges a spec of an identity. */
  judge(spec: ProxySpec, identity: Identity): Verdict {
    const rule = this.ruleFor(identity)
    if (rule === undefined && !this.open) return { deny: 'no rule matches this identity' }
    if (rule?.denies === true) return { deny: 'this identity is denied everything' }
    if (rule?.kinds !== undefined && !rule.kinds.includes(spec.kind))
      return { deny: `kind ${spec.kind} is not allowed; allowed: ${rule.kinds.join(', ')}` }
    const claimed = claimedBy(spec, this.#baseDomain)
    const deny = this.#names(claimed, rule) ?? this.#hosts(claimed, rule)
    if (deny !== undefined) return { deny, code: 'proxy.claimed' }
    return this.#ports(claimed, rule)
  }

  #others(rule: Rule | undefined): readonly Rule[] {
    return [...this.#rules, this.#reserved].filter((other) => other !== rule)
  }

  #names({ names, visited }: Claimed, rule: Rule | undefined): string | undefined {
    for (const name of names) {
      const own = (rule?.names ?? ['*']).filter((one) => pattern(one)(name))
      if (own.length === 0) return `name ${name} is not allowed; allowed: ${rule?.names?.join(', ')}`
      if (name !== visited) continue
      for (const other of this.#others(rule)) {
        const reserved = other.names?.find((one) => pattern(one)(name) && own.every((allowed) => closer(one, allowed)))
        if (reserved !== undefined) return `name ${name} is reserved`
      }
    }
    return undefined
  }

  #hosts({ hosts }: Claimed, rule: Rule | undefined): string | undefined {
    for (const host of hosts) {
      const own = (rule?.hosts ?? ['*']).filter((one) => hostCovers(one, host))
      if (own.length === 0) return `host ${host} is not allowed; allowed: ${rule?.hosts?.join(', ')}`
      for (const other of this.#others(rule)) {
        const reserved = other.hosts?.find(
          (one) => hostsMeet(one, host) && own.every((allowed) => allowed !== one && hostCovers(allowed, one))
        )
        if (reserved !== undefined) return `host ${host} is reserved`
      }
    }
    return undefined
  }

  #ports({ port }: Claimed, rule: Rule | undefined): Verdict {
    if (port === undefined) return { ports: undefined }
    const own = rule?.ports ?? all
    const left = own.flatMap((range) =>
      this.#others(rule)
        .flatMap((other) => other.ports ?? [])
        .filter((foreign) => overlaps(foreign, range) && sizeOf(foreign) < sizeOf(range))
        .reduce((ranges, foreign) => ranges.flatMap((one) => without(one, foreign)), [range])
    )
    const within = (ranges: readonly PortRange[]): boolean => ranges.some(({ from, to }) => port >= from && port <= to)
    const taken = (deny: string): Deny => ({ deny, code: 'proxy.port-taken' })
    if (port !== 0 && !within(own)) return taken(`port ${port} is not allowed; allowed: ${formatPorts(own)}`)
    if (port !== 0 && !within(left)) return taken(`port ${port} is reserved`)
    if (left.length === 0) return { deny: 'no port is allowed' }
    return { ports: left.length === 1 && left[0] === all[0] ? undefined : left }
  }
}

/** Whether a name pattern is narrower than another. */
const closer = (one: string, other: string): boolean => one !== other && nameCovers(other, one)
