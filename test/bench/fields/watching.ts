import { untilEchoes } from '../address.js'
import type { Field } from '../field.js'
import { measureNew } from '../measure.js'
import { watched } from '../peers/watching.js'
import { requests } from './requests.js'
import { bulk } from './streams.js'

const SHARE = 0.01

/** What it costs that a tunnel of proxy-tcp is watched. */
export const watching: Field = {
  name: 'watching',
  measures: ['watching'],
  baseline: watched('watch-none', 'nothing watches', {}),
  own: [
    watched('watch-dashboard', 'a dashboard that lists streams, at both ends', { dashboard: true }),
    watched('watch-metrics', 'metrics, scraped each second at both ends', { metrics: true }),
    watched('watch-both', 'dashboard and metrics', { dashboard: true, metrics: true }),
    watched('watch-traces', 'traces of 1 % at both ends', { traces: SHARE })
  ],
  others: [],
  open: (load) => load.service.call<number>('listen'),
  ready: (address, _way, _load, signal) => untilEchoes(address, signal),
  async once(round) {
    await bulk(round)
    await round.attempt('new connections', async () => {
      const { rate, cpu } = await measureNew(round.load, round.way, round.options)
      round.keep('connections', rate)
      round.keep('connectionCpu', cpu)
    })
  }
}

/** What it costs that requests through proxy-http are watched. */
export const watchingRequests: Field = {
  ...requests,
  name: 'watching-requests',
  measures: ['watching'],
  baseline: watched('watch-http-none', 'nothing watches', {}, true),
  own: [
    watched('watch-http-both', 'dashboard and metrics', { dashboard: true, metrics: true }, true),
    watched('watch-http-traces', 'traces of 1 % at both ends', { traces: SHARE }, true),
    watched('watch-http-inspect', 'inspect-http at both ends', { inspect: true }, true)
  ],
  others: []
}
