import { formatPorts, networks, type PortRange, pattern } from '@rystra/address'
import type { Deny, Identity, ProxySpec } from '@rystra/plugin'
import { hostCovers, hostsMeet, nameCovers, overlaps, sizeOf, without } from './area.js'
import type { AclOptions } from './options.js'
import { Rule } from './rule.js'
import { type Wanted, wantedBy } from './wanted.js'

const all: readonly PortRange[] = [{ from: 1, to: 65_535 }]

/** What comes of a spec: a refusal in words, or the ports that are left for it, where they are fewer than all. */
export type Verdict = Deny | { readonly ports: readonly PortRange[] | undefined }

/**
 * Who may do what. The first rule for an identity holds. What another rule names more closely (a host within a wildcard,
 * a smaller range of ports, a closer pattern of names) is reserved for those that rule is for.
 */
export class Policy {
  readonly #rules: readonly Rule[]
  /** What `reserved` names, as a rule that is for no identity. */
  readonly #reserved: Rule
  /** Whether visitors of this address may not come at all. */
  readonly deniesVisitor: (address: string) => boolean
  /** Whether those may do anything that no rule is for. */
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

  /** The tenant of an identity, if it is of one. */
  tenantOf({ id, rights }: Identity): string | undefined {
    const own = rights !== undefined && Object.hasOwn(rights, 'tenant') ? rights['tenant'] : undefined
    if (typeof own === 'string' && own !== '') return own
    return this.#tenants.find(([, fits]) => fits(id))?.[0]
  }

  /** Who is one with whom: a tenant, or an identity on its own. */
  partyOf(identity: Identity): string {
    const tenant = this.tenantOf(identity)
    return tenant === undefined ? `identity ${identity.id}` : `tenant ${tenant}`
  }

  /** The rule for an identity. */
  ruleFor(identity: Identity): Rule | undefined {
    const tenant = this.tenantOf(identity)
    return this.#rules.find((rule) => rule.isFor(identity, tenant))
  }

  /** What an identity may do with this spec. */
  judge(spec: ProxySpec, identity: Identity): Verdict {
    const rule = this.ruleFor(identity)
    if (rule === undefined && !this.open) return { deny: 'no rule allows this identity anything' }
    if (rule?.denies === true) return { deny: 'this identity may not publish' }
    if (rule?.kinds !== undefined && !rule.kinds.includes(spec.kind))
      return { deny: `kind ${spec.kind} is not allowed; allowed: ${rule.kinds.join(', ')}` }
    const wanted = wantedBy(spec, this.#baseDomain)
    const deny = this.#names(wanted, rule) ?? this.#hosts(wanted, rule)
    if (deny !== undefined) return { deny, code: 'proxy.claimed' }
    return this.#ports(wanted, rule)
  }

  #others(rule: Rule | undefined): readonly Rule[] {
    return [...this.#rules, this.#reserved].filter((other) => other !== rule)
  }

  #names({ names, visited }: Wanted, rule: Rule | undefined): string | undefined {
    for (const name of names) {
      const own = (rule?.names ?? ['*']).filter((one) => pattern(one)(name))
      if (own.length === 0) return `name ${name} is not allowed; allowed: ${rule?.names?.join(', ')}`
      if (name !== visited) continue
      for (const other of this.#others(rule)) {
        const theirs = other.names?.find((one) => pattern(one)(name) && own.every((mine) => closer(one, mine)))
        if (theirs !== undefined) return `name ${name} is reserved`
      }
    }
    return undefined
  }

  #hosts({ hosts }: Wanted, rule: Rule | undefined): string | undefined {
    for (const host of hosts) {
      const own = (rule?.hosts ?? ['*']).filter((one) => hostCovers(one, host))
      if (own.length === 0) return `host ${host} is not allowed; allowed: ${rule?.hosts?.join(', ')}`
      for (const other of this.#others(rule)) {
        const theirs = other.hosts?.find(
          (one) => hostsMeet(one, host) && own.every((mine) => mine !== one && hostCovers(mine, one))
        )
        if (theirs !== undefined) return `host ${host} is reserved`
      }
    }
    return undefined
  }

  #ports({ port }: Wanted, rule: Rule | undefined): Verdict {
    if (port === undefined) return { ports: undefined }
    const own = rule?.ports ?? all
    const left = own.flatMap((mine) =>
      this.#others(rule)
        .flatMap((other) => other.ports ?? [])
        .filter((theirs) => overlaps(theirs, mine) && sizeOf(theirs) < sizeOf(mine))
        .reduce((ranges, theirs) => ranges.flatMap((range) => without(range, theirs)), [mine])
    )
    const within = (ranges: readonly PortRange[]): boolean => ranges.some(({ from, to }) => port >= from && port <= to)
    const taken = (deny: string): Deny => ({ deny, code: 'proxy.port-taken' })
    if (port !== 0 && !within(own)) return taken(`port ${port} is not allowed; allowed: ${formatPorts(own)}`)
    if (port !== 0 && !within(left)) return taken(`port ${port} is reserved`)
    if (left.length === 0) return { deny: 'no port is allowed' }
    return { ports: left.length === 1 && left[0] === all[0] ? undefined : left }
  }
}

/** Whether a pattern of names says more than another that it lies within. */
const closer = (one: string, other: string): boolean => one !== other && nameCovers(other, one)
