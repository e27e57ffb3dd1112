import {
  type Deny,
  type HelloContext,
  type OpenStreamContext,
  type Pacer,
  type RequestContext,
  RystraError,
  type Side,
  type StreamInfo
} from '@rystra/plugin'
import { bytesOfDirection, type Counted, NEVER, type Rule } from './rule.js'

const nouns = { handshakes: 'handshakes', streams: 'connections', requests: 'requests' } as const

const scopes = {
  connection: 'on this connection',
  visitor: 'from this address',
  proxy: 'for this proxy',
  identity: 'for this client',
  total: 'here'
} as const

const paced = ['bytesToService', 'bytesToVisitor'] as const

/** Applies the rules. */
export class Limiter {
  readonly #rules: readonly Rule[]
  readonly #side: Side
  readonly #time: () => number
  readonly #refused: (what: keyof typeof nouns) => void

  constructor(rules: readonly Rule[], side: Side, time: () => number, refused: (what: keyof typeof nouns) => void) {
    this.#rules = rules
    this.#side = side
    this.#time = time
    this.#refused = refused
  }

  /** Whether a rule concerns the stream. */
  concerns(stream: StreamInfo): boolean {
    return this.#rules.some(
      (rule) => (rule.limits('streams') || paced.some((what) => rule.limits(what))) && rule.concerns(stream)
    )
  }

  hello({ peer }: HelloContext): Deny | undefined {
    const rules = this.#rules.filter((rule) => rule.limits('handshakes'))
    return this.#take(
      'handshakes',
      rules.map((rule) => [rule, rule.keyOfPeer(peer.address)])
    )
  }

  stream(stream: OpenStreamContext): Deny | undefined {
    const concerned = this.#rules.filter((rule) => rule.concerns(stream))
    const keyed = concerned.map((rule) => [rule, rule.keyOf(stream)] as const)
    const denied = this.#take('streams', keyed)
    if (denied !== undefined) return denied
    const spenders = keyed
      .filter(([rule]) => paced.some((what) => rule.limits(what)))
      .map(([rule, key]) => rule.spender(key))
    if (spenders.length > 0) stream.pace(this.#pacer(spenders))
    return undefined
  }

  #pacer(spenders: readonly ReturnType<Rule['spender']>[]): Pacer {
    const time = this.#time
    return (bytes, direction) => {
      const now = time()
      const what = bytesOfDirection(direction)
      let longest = 0
      for (const spend of spenders) {
        const wait = spend(what, bytes, now)
        if (wait > longest) longest = wait
      }
      if (longest === NEVER) {
        const way = direction === 'toService' ? 'to the service' : 'to the visitor'
        throw new RystraError('stream.refused', { side: this.#side, detail: `no bytes are allowed ${way}` })
      }
      return longest
    }
  }

  request(request: RequestContext): Deny | undefined {
    const concerned = this.#rules.filter((rule) => rule.limits('requests') && rule.concerns(request))
    return this.#take(
      'requests',
      concerned.map((rule) => [rule, rule.keyOf(request)])
    )
  }

  /** What the hook would answer. Takes and counts nothing. */
  check(visit: StreamInfo, hook: 'onOpenStream' | 'onRequest'): Deny | undefined {
    const what = hook === 'onRequest' ? 'requests' : 'streams'
    const now = this.#time()
    for (const rule of this.#rules.filter((one) => one.limits(what) && one.concerns(visit))) {
      const wait = rule.wait(what, rule.keyOf(visit), now)
      if (wait > 0) return denial(what, rule, wait)
    }
    return undefined
  }

  /** Takes one from each rule or from none: a refusal by one rule costs the others nothing. */
  #take(what: keyof typeof nouns & Counted, keyed: readonly (readonly [Rule, string])[]): Deny | undefined {
    const now = this.#time()
    for (const [rule, key] of keyed) {
      const wait = rule.wait(what, key, now)
      if (wait > 0) return this.#deny(what, rule, wait)
    }
    for (const [rule, key] of keyed) rule.spend(what, key, 1, now)
    return undefined
  }

  #deny(what: keyof typeof nouns, rule: Rule, wait: number): Deny {
    this.#refused(what)
    return denial(what, rule, wait)
  }
}

const denial = (what: keyof typeof nouns, rule: Rule, wait: number): Deny => {
  const which = scopes[rule.per]
  if (wait === NEVER) return { deny: `no ${nouns[what]} are allowed ${which}` }
  return { deny: `too many ${nouns[what]} ${which}`, retryAfter: Math.max(1, Math.ceil(wait / 1000)) }
}
