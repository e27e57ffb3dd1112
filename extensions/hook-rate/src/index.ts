import { defineExtension, GUARD } from '@rystra/plugin'
import { Failures } from './failures.js'
import { Handshakes } from './handshakes.js'
import { Limiter } from './limiter.js'
import { rateOptions } from './options.js'
import { counted, Rule } from './rule.js'
import { steady } from './steady.js'

export type { FailureOptions, RateOptions, RuleOptions } from './options.js'

/**
 * Rate limits per visitor, proxy, identity or in total. Bytes are delayed, everything else is refused; failed
 * authentications are delayed.
 */
export default defineExtension({
  name: 'hook-rate',
  options: rateOptions,
  setup({ hooks, options, role, clock, metrics }) {
    const { capacity } = options
    const time = steady(clock)
    const rules = options.rules.map((rule, index) => new Rule(rule, index, capacity))
    const refused = metrics.counter('rystra_rate_refused_total', 'Refusals of hook-rate by kind.')
    const limiter = new Limiter(rules, role, time, (what) => refused.add(1, { what }))
    const limited = new Set(counted.filter((what) => rules.some((rule) => rule.limits(what))))
    const bytes = limited.has('bytesToService') || limited.has('bytesToVisitor')

    if (limited.has('streams') || bytes) {
      const concerns = limiter.concerns.bind(limiter)
      hooks.onOpenStream.tap({ stage: GUARD, concerns }, (stream) => limiter.stream(stream))
    }
    if (role === 'client') return undefined

    if (limited.has('requests')) hooks.onRequest.tap({ stage: GUARD }, (request) => limiter.request(request))

    const handshakes = new Handshakes(new Failures(options.authFailures, capacity, time), clock)
    hooks.onHello.tapPromise({ stage: GUARD }, async (hello) => (await handshakes.hello(hello)) ?? limiter.hello(hello))
    hooks.onConnect.tap((context) => handshakes.connected(context))
    hooks.onRefused.tap((context) => handshakes.refused(context))
    return { stop: () => handshakes.stop() }
  }
})
