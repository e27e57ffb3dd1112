import type { ClockResult } from './clock.js'
import type { RegistryResult } from './registry.js'
import type { MetricKey, Report } from './result.js'
import { medianOf } from './result.js'

/** What a run has to show. `undefined` where something that it takes was not measured. */
export interface Goal {
  readonly text: string
  readonly met: boolean | undefined
  /** The figure that was compared: a ratio, unless `unit` says something else. */
  readonly value: number
  readonly unit?: 'bytes' | 'ns' | 'ms' | '%'
}

const bulk: readonly MetricKey[] = ['up1', 'down1', 'up8', 'down8']
const watching: readonly MetricKey[] = [...bulk, 'connections']
const datagrams: readonly MetricKey[] = ['up64', 'down64', 'up1200', 'down1200', 'trip512']
const both = ['rystra-direct', 'rystra-yamux']
const kibibyte = 1024

/** The least a ratio may be, or the most. */
interface Bound {
  readonly least?: number
  readonly most?: number
}

const judge = (text: string, value: number, { least, most }: Bound, unit?: Goal['unit']): Goal => ({
  text,
  value,
  ...(unit === undefined ? {} : { unit }),
  met: Number.isFinite(value) ? value >= (least ?? Number.NEGATIVE_INFINITY) && value <= (most ?? Infinity) : undefined
})

const words = ({ least, most }: Bound): string => (least === undefined ? `≤ ${most}` : `≥ ${least}`)

/** Aims of the project, each as a ratio within this run. */
export const goals = ({ routes, registry, clock }: Pick<Report, 'routes' | 'registry' | 'clock'>): Goal[] => {
  const ratio = (name: string, key: MetricKey, peers: readonly string[], bound: Bound): Goal => {
    const measured = peers.map((peer) => medianOf(routes, peer, key))
    // Against several, the best of those that are there counts; with none of them there is nothing to say.
    const known = measured.filter((value) => Number.isFinite(value))
    const best = known.length === 0 ? Number.NaN : Math.max(...known)
    const among = peers.filter((_, index) => Number.isFinite(measured[index]))
    const reference =
      peers.length === 1 ? peers[0] : `best of ${among.length === 0 ? peers.join(', ') : among.join(', ')}`
    return judge(`${name} ${key} ${words(bound)} × ${reference}`, medianOf(routes, name, key) / best, bound)
  }
  const idle = (name: string, end: 'server' | 'client'): Goal => {
    const value = routes.find((route) => route.name === name)?.streams?.[end] ?? Number.NaN
    return judge(
      `${name} idle stream ≤ 8 KiB of heap and external memory at the ${end}`,
      value,
      { most: 8 * kibibyte },
      'bytes'
    )
  }
  const clients = (name: string): Goal => {
    const held = routes.find((route) => route.name === name)?.clients
    const most = 150 * kibibyte * kibibyte
    // Fewer clients may use as much less.
    const value = held === undefined ? Number.NaN : (held.total * 1000) / held.clients
    return judge(`${name} 1,000 idle clients ≤ 150 MiB at the server`, value, { most }, 'bytes')
  }
  return [
    ...bulk.map((key) => ratio('rystra-direct', key, ['rathole', 'bore', 'frp-no-mux'], { least: 1.1 })),
    ...bulk.map((key) => ratio('rystra-direct', key, ['rathole'], { least: 1.4 })),
    ...bulk.map((key) => ratio('rystra-yamux', key, ['rathole'], { least: 1.3 })),
    ...bulk.map((key) => ratio('rystra-yamux', key, ['frp-mux'], { least: 2.5 })),
    ...bulk.flatMap((key) => [
      ratio('rystra-tls-yamux', key, ['frp'], { least: 1.7 }),
      ratio('rystra-tls-yamux', key, ['stunnels'], { least: 1 })
    ]),
    ratio('rystra-tls-yamux', 'p50', ['frp'], { most: 0.65 }),
    ...both.flatMap((name) => [
      ratio(name, 'p50', ['rathole'], { most: 1 }),
      ratio(name, 'p99', ['rathole'], { most: 1.2 }),
      ratio(name, 'connections', ['rathole'], { least: 1 }),
      ratio(name, 'cpu', ['rathole'], { most: 0.8 }),
      idle(name, 'server'),
      idle(name, 'client'),
      clients(name)
    ]),
    ratio('http-rystra-yamux', 'requests', ['http-node'], { least: 0.5 }),
    ratio('http-rystra-yamux', 'requests', ['http-frp'], { least: 1 }),
    ratio('http-rystra-yamux', 'requestP99', ['http-frp'], { most: 1 }),
    ...datagrams.map((key) => ratio('udp-rystra-yamux', key, ['udp-frp'], { least: 1 })),
    ...bulk.map((key) => ratio('hooks-rate', key, ['hooks-none'], { least: 0.7 })),
    ...bulk.map((key) => ratio('hooks-yamux-rate', key, ['hooks-yamux-none'], { least: 0.7 })),
    ...['direct', 'yamux'].map((muxer) => ratio(`open-pump-${muxer}`, 'cpu', [`open-relay-${muxer}`], { most: 1.15 })),
    ...watching.map((key) => ratio('watch-both', key, ['watch-none'], { least: 0.97 })),
    ratio('watch-http-both', 'requests', ['watch-http-none'], { least: 0.97 }),
    ...watching.map((key) => ratio('watch-traces', key, ['watch-none'], { least: 0.9 })),
    ratio('watch-http-traces', 'requests', ['watch-http-none'], { least: 0.9 }),
    // The same path: what is missing to 1 is how much two measurements of the same thing differ.
    ...bulk.map((key) => ratio('hooks-elsewhere', key, ['hooks-none'], { least: 0.9 })),
    ...lookups(typeof registry === 'object' ? registry : undefined),
    ...(clock === undefined ? [] : clocks(clock))
  ]
}

/** Some lookups into memory that the processor has not at hand, and a fraction of what a request takes. */
const LOOKUP_NS = 3000

/** The goals of the clock and of the jitter buffer. */
const clocks = ({ offsets, buffers }: ClockResult): Goal[] => [
  ...offsets.flatMap(({ name, p50, p95, goal, beyond }) => [
    ...(goal.p50 === undefined
      ? []
      : [judge(`clock error ${name}: p50 ≤ ${goal.p50} ms`, p50, { most: goal.p50 }, 'ms')]),
    ...(goal.p95 === undefined
      ? []
      : [judge(`clock error ${name}: p95 ≤ ${goal.p95} ms`, p95, { most: goal.p95 }, 'ms')]),
    judge(`clock error ${name}: never beyond its bound`, beyond, { most: 0 })
  ]),
  ...buffers.flatMap(({ name, late, added, jitter }) => [
    judge(`jitter buffer ${name}: late ≤ 1.5 %`, late, { most: 1.5 }, '%'),
    judge(`jitter buffer ${name}: delay ≤ p99 of the jitter + 2 ms`, added - jitter, { most: 2 }, 'ms')
  ])
]

/** What they take does not depend on how many there are; requests are compared with those among a tenth. */
const lookups = (registry: RegistryResult | undefined): Goal[] => {
  const { lookups: times, requests } = registry ?? {}
  const hosts = (times?.at(-1)?.hosts ?? 10_000).toLocaleString('en')
  const few = (requests?.at(-2)?.hosts ?? 1000).toLocaleString('en')
  return [
    ...(['exact', 'wildcard', 'path', 'claim'] as const).map((form) =>
      judge(
        `lookup (${form}) among ${hosts} hosts ≤ 3 µs`,
        times?.at(-1)?.[form] ?? Number.NaN,
        { most: LOOKUP_NS },
        'ns'
      )
    ),
    ...(['exact', 'wildcard', 'path'] as const).map((form) => {
      const grown = (requests?.at(-1)?.[form] ?? Number.NaN) / (requests?.at(-2)?.[form] ?? Number.NaN)
      return judge(`request (${form}) among ${hosts} hosts ≤ 1.3 × among ${few}`, grown, { most: 1.3 })
    })
  ]
}
