import { untilEchoes } from '../address.js'
import type { Field, Round } from '../field.js'
import { measureBulk, measureLatency, measureNew } from '../measure.js'
import { bore } from '../peers/bore.js'
import { chisel } from '../peers/chisel.js'
import { direct } from '../peers/direct.js'
import { frpDefault, frpMux, frpNoMux } from '../peers/frp.js'
import { haproxy } from '../peers/haproxy.js'
import { rathole } from '../peers/rathole.js'
import { rystraDirect, rystraTransports, rystraYamux } from '../peers/rystra.js'
import { ssh } from '../peers/ssh.js'
import { stunnels } from '../peers/stunnel.js'

/** Throughput with one stream and with eight, each way, and what it costs. */
export const bulk = async ({ load, way, options, keep, attempt }: Round): Promise<void> => {
  const costs: number[] = []
  for (const streams of [1, 8] as const) {
    for (const direction of ['up', 'down'] as const) {
      await attempt(`${direction} ×${streams}`, async () => {
        const found = await measureBulk(load, way, direction, streams, options)
        keep(`${direction}${streams}`, found.gigabits)
        costs.push(found.cpuPerGigabyte)
      })
    }
  }
  keep('cpu', costs.reduce((sum, cost) => sum + cost, 0) / costs.length)
}

/** Connections to a TCP port. */
export const streams: Field = {
  name: 'streams',
  measures: ['bulk', 'latency', 'connections', 'links', 'streams', 'clients'],
  baseline: direct,
  own: [rystraDirect, rystraYamux, ...rystraTransports],
  others: [haproxy, rathole, bore, frpNoMux, frpMux, frpDefault, chisel, ssh, stunnels],
  open: (load) => load.service.call<number>('listen'),
  ready: (address, _way, _load, signal) => untilEchoes(address, signal),
  async once(round) {
    const { load, way, options, keep, attempt } = round
    const { measures } = options
    if (measures.has('bulk')) await bulk(round)
    if (measures.has('latency')) {
      await attempt('round trips', async () => {
        const { p50, p99 } = await measureLatency(load, way, options)
        keep('p50', p50)
        keep('p99', p99)
      })
    }
    if (measures.has('connections')) {
      await attempt('new connections', async () => {
        const { rate, cpu } = await measureNew(load, way, options)
        keep('connections', rate)
        keep('connectionCpu', cpu)
      })
    }
    const { links } = way.route
    if (measures.has('links') && links !== undefined) {
      await attempt('links', async () => {
        const milliseconds = options.connecting
        keep('links', await links({ milliseconds, resumed: false }))
        keep('resumed', await links({ milliseconds, resumed: true }))
      })
    }
  }
}
