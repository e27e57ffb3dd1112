import { defineExtension, GUARD } from '@rystra/plugin'
import { Failures } from './failures.js'
import { Handshakes } from './handshakes.js'
import { Limiter } from './limiter.js'
import { rateOptions } from './options.js'
import { counted, Rule } from './rule.js'
import { steady } from './steady.js'

/** What an instance hands over to its successor. */
class Counts {
  constructor(
    readonly time: () => number,
    readonly rules: readonly Rule[],
    readonly failures: Failures | undefined
  ) {}
}

export type { FailureOptions, RateOptions, RuleOptions } from './options.js'

/**
 * Rate limits per visitor, proxy, identity or in total. Bytes are delayed, everything else is refused; failed
 * authentications are delayed.
 */
export default defineExtension({
  name: 'hook-rate',
  options: rateOptions,
  setup({ hooks, registries, name, options, role, clock, metrics, previous }) {
    const { capacity } = options
    // Another version of this package begins anew.
    const before = previous instanceof Counts ? previous : undefined
    const time = before?.time ?? steady(clock)
    const rules = options.rules.map((rule, index) => new Rule(rule, index, capacity))
    if (before !== undefined) for (const rule of rules) rule.takeOver(before.rules, time())
    const refused = metrics.counter('rystra_rate_refused_total', 'Refusals of hook-rate by kind.')
    const limiter = new Limiter(rules, role, time, (what) => refused.add(1, { what }))
    const limited = new Set(counted.filter((what) => rules.some((rule) => rule.limits(what))))
    const bytes = limited.has('bytesToService') || limited.has('bytesToVisitor')

    registries.visitChecks.add({ name, check: (visit, hook) => limiter.check(visit, hook) })
    if (limited.has('streams') || bytes) {
      const concerns = limiter.concerns.bind(limiter)
      hooks.onOpenStream.tap({ stage: GUARD, concerns }, (stream) => limiter.stream(stream))
    }
    if (role === 'client') return { handover: () => new Counts(time, rules, undefined) }

    if (limited.has('requests')) hooks.onRequest.tap({ stage: GUARD }, (request) => limiter.request(request))

    const failures = new Failures(options.authFailures, capacity, time)
    if (before?.failures !== undefined) failures.takeOver(before.failures)
    const handshakes = new Handshakes(failures, clock)
    hooks.onHello.tapPromise({ stage: GUARD }, async (hello) => (await handshakes.hello(hello)) ?? limiter.hello(hello))
    hooks.onConnect.tap((context) => handshakes.connected(context))
    hooks.onRefused.tap((context) => handshakes.refused(context))
    return { stop: () => handshakes.stop(), handover: () => new Counts(time, rules, failures) }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/hook-rate': Partial<import('./options.js').RateOptions>
  }
}
