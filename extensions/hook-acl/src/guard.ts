import type {
  Clock,
  Deny,
  OpenStreamContext,
  ProxyContext,
  ProxySpec,
  RequestContext,
  SessionInfo,
  StreamInfo,
  VisitorInfo
} from '@rystra/plugin'
import { formatPorts } from '@rystra/address'
import type { Policy, Verdict } from './policy.js'
import type { Quotas, Rule } from './rule.js'
import type { Usage } from './usage.js'

/** Maximum of port ranges in a spec. */
const MAX_RANGES = 256

const unlimited: Quotas = {
  proxies: Number.POSITIVE_INFINITY,
  streams: Number.POSITIVE_INFINITY,
  bandwidth: Number.POSITIVE_INFINITY,
  bytesPerDay: Number.POSITIVE_INFINITY
}

/** The rule, tenant and quota account of an identity. */
interface Account {
  readonly rule: Rule | undefined
  readonly tenant: string | undefined
  /** The quota account: a tenant, or the identity itself. */
  readonly party: string
}

/** Key of a proxy among all clients; stable over sessions of its client. */
const keyOf = ({ identity, client }: SessionInfo, { name }: ProxySpec): string =>
  JSON.stringify([identity.id, client.id, name])

const streamKey = ({ session, id }: StreamInfo): string => `${session.id} ${id}`

/** Applies a policy. */
export class Guard {
  readonly #policy: Policy
  readonly #usage: Usage
  readonly #clock: Clock
  readonly #accounts = new WeakMap<SessionInfo, Account>()
  readonly #verdicts = new WeakMap<ProxySpec, Verdict>()

  constructor(policy: Policy, usage: Usage, clock: Clock) {
    this.#policy = policy
    this.#usage = usage
    this.#clock = clock
  }

  #account(session: SessionInfo): Account {
    let account = this.#accounts.get(session)
    if (account === undefined) {
      const { identity } = session
      const policy = this.#policy
      account = { rule: policy.ruleFor(identity), tenant: policy.tenantOf(identity), party: policy.partyOf(identity) }
      this.#accounts.set(session, account)
    }
    return account
  }

  #verdict(proxy: ProxySpec, session: SessionInfo): Verdict {
    let verdict = this.#verdicts.get(proxy)
    if (verdict === undefined) {
      verdict = this.#policy.judge(proxy, session.identity)
      this.#verdicts.set(proxy, verdict)
    }
    return verdict
  }

  /** Asks the other servers of a cluster for room for one more proxy, where that is needed. */
  async prepareProxy({ session }: ProxyContext): Promise<void> {
    const { rule, party } = this.#account(session)
    if (rule !== undefined) await this.#usage.ask(party, 'proxies', rule.quotas, this.#clock.now())
  }

  /** Whether {@link prepareStream} may have to ask. */
  meters({ session }: StreamInfo): boolean {
    return this.#account(session).rule?.meters === true
  }

  /** Asks the other servers of a cluster for room for one more stream, where that is needed. */
  async prepareStream({ session }: StreamInfo): Promise<undefined> {
    const { rule, party } = this.#account(session)
    if (rule !== undefined) await this.#usage.ask(party, 'streams', rule.quotas, this.#clock.now())
  }

  /** Checks a registration. */
  register(spec: ProxySpec, { session }: ProxyContext): ProxySpec | Deny | undefined {
    const verdict = this.#policy.judge(spec, session.identity)
    if ('deny' in verdict) return verdict
    const { rule, party } = this.#account(session)
    const quotas = rule?.quotas ?? unlimited
    if (!this.#usage.request(party, keyOf(session, spec), session.id, quotas, this.#clock.now()))
      return { deny: `proxy quota reached (${quotas.proxies})` }
    if (verdict.ports === undefined) return undefined
    return { ...spec, ports: verdict.ports.slice(0, MAX_RANGES).map((range) => formatPorts([range])) }
  }

  published(session: SessionInfo, proxy: ProxySpec): void {
    this.#usage.published(this.#account(session).party, keyOf(session, proxy), session.id, this.#clock.now())
  }

  refused(session: SessionInfo, proxy: ProxySpec): void {
    this.#usage.refused(this.#account(session).party, keyOf(session, proxy), session.id)
  }

  gone(session: SessionInfo, proxy: ProxySpec): void {
    this.#usage.gone(this.#account(session).party, keyOf(session, proxy), session.id)
  }

  /** Whether the policy concerns a stream; others keep the fast path. */
  concerns({ proxy, session, visitor }: StreamInfo): boolean {
    const { rule } = this.#account(session)
    if (rule?.visitors !== undefined || rule?.meters === true || visitor.through !== undefined) return true
    if (this.#policy.deniesVisitor(addressOf(visitor))) return true
    return 'deny' in this.#verdict(proxy, session)
  }

  /** What the rules say about a visitor; quotas and their counts are another matter. */
  #judge({ proxy, session, visitor }: StreamInfo): Deny | undefined {
    const { rule } = this.#account(session)
    // The policy may have changed since the proxy was published.
    const verdict = this.#verdict(proxy, session)
    if ('deny' in verdict) return { deny: verdict.deny, hidden: true }
    if (visitor.through !== undefined && !this.#mayVisit(visitor.through, session))
      return { deny: `${visitor.through.identity.id} belongs to another tenant, or is denied everything`, hidden: true }
    if (!this.#mayCome(rule, visitor)) return { deny: 'visitors of this network are not allowed', hidden: true }
    return undefined
  }

  open(stream: OpenStreamContext): Deny | undefined {
    const denied = this.#judge(stream)
    if (denied !== undefined) return denied
    const { rule, party } = this.#account(stream.session)
    if (rule?.meters !== true) return undefined
    const now = this.#clock.now.bind(this.#clock)
    const over = this.#usage.open(party, streamKey(stream), rule.quotas, now())
    if (over !== undefined) return over
    const pacer = this.#usage.pacer(party, rule.quotas, now)
    if (pacer !== undefined) stream.pace(pacer)
    return undefined
  }

  /** What {@link open} would answer. Counts nothing. */
  check(stream: StreamInfo): Deny | undefined {
    const denied = this.#judge(stream)
    const { rule, party } = this.#account(stream.session)
    if (denied !== undefined || rule?.meters !== true) return denied
    return this.#usage.exceeded(party, rule.quotas, this.#clock.now())
  }

  close(stream: StreamInfo): void {
    this.#usage.close(streamKey(stream))
  }

  request({ session, visitor }: RequestContext): Deny | undefined {
    const { rule } = this.#account(session)
    return this.#mayCome(rule, visitor) ? undefined : { deny: 'visitors of this network are not allowed' }
  }

  #mayCome(rule: Rule | undefined, visitor: VisitorInfo): boolean {
    const address = addressOf(visitor)
    return !this.#policy.deniesVisitor(address) && rule?.visitors?.(address) !== false
  }

  #mayVisit(from: SessionInfo, to: SessionInfo): boolean {
    const visiting = this.#account(from)
    if (visiting.tenant !== this.#account(to).tenant) return false
    return visiting.rule === undefined ? this.#policy.open : !visiting.rule.denies
  }
}

/** The address of a visitor by way of another client is what that client says: the address of that client counts. */
const addressOf = ({ host, through }: VisitorInfo): string => through?.peer.address ?? host
