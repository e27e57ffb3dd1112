import type { ClockResult } from './clock.js'
import type { Goal } from './goals.js'
import type { RegistryResult } from './registry.js'
import {
  type FieldName,
  type Metric,
  type MetricKey,
  metrics,
  type Report,
  type RouteResult,
  medianOf
} from './result.js'

const none = '–'

const number = (value: number | undefined, digits: number): string =>
  value === undefined || !Number.isFinite(value)
    ? none
    : value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })

/** Columns in line: the first to the left, all others to the right. */
const grid = (rows: readonly (readonly string[])[]): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) => row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))))
    .map((row) => `  ${row.join('  ')}`.trimEnd())
    .join('\n')
}

const kibibytes = (bytes: number | undefined): string => number(bytes === undefined ? undefined : bytes / 1024, 2)

/** Columns of what was measured at all. */
const columns = (routes: readonly RouteResult[]): readonly Metric[] =>
  metrics.filter(({ key }) => routes.some((route) => route.values[key] !== undefined))

const figures = (routes: readonly RouteResult[]): string => {
  const shown = columns(routes)
  if (shown.length === 0) return ''
  return grid([
    ['medians', ...shown.map(({ title }) => title)],
    ...routes.map(({ name, values }) => [name, ...shown.map(({ key, digits }) => number(values[key]?.median, digits))])
  ])
}

const ratios = (routes: readonly RouteResult[], own: string): string => {
  const shown = columns(routes)
  const others = routes.filter(({ name }) => name !== own)
  if (shown.length === 0 || others.length === 0) return ''
  const ratio = (name: string, key: MetricKey): number => medianOf(routes, own, key) / medianOf(routes, name, key)
  return grid([
    [`${own} ÷`, ...shown.map(({ title }) => title.replace(' Gbit/s', ''))],
    ...others.map(({ name }) => [name, ...shown.map(({ key }) => number(ratio(name, key), 2))])
  ])
}

/** All routes of Rystra against one that is not, or against the way without hooks. */
const against = (routes: readonly RouteResult[], other: string): string => {
  const shown = columns(routes)
  const own = routes.filter(({ name }) => name !== other && /rystra|hooks|open|watch/.test(name))
  if (own.length === 0 || !routes.some(({ name }) => name === other)) return ''
  const ratio = (name: string, key: MetricKey): number => medianOf(routes, name, key) / medianOf(routes, other, key)
  return grid([
    [`÷ ${other}`, ...shown.map(({ title }) => title.replace(' Gbit/s', ''))],
    ...own.map(({ name }) => [name, ...shown.map(({ key }) => number(ratio(name, key), 2))])
  ])
}

/** What each kind of service is compared with, best last. */
const references: Readonly<Record<Exclude<FieldName, 'streams'>, readonly string[]>> = {
  requests: ['http-direct', 'http-node', 'http-frp'],
  packets: ['udp-direct', 'udp-node', 'udp-frp'],
  hooks: ['hooks-none'],
  open: ['open-relay-direct', 'open-relay-yamux'],
  watching: ['watch-none'],
  'watching-requests': ['watch-http-none']
}

const field = (routes: readonly RouteResult[], name: FieldName): string[] => {
  const its = routes.filter((route) => route.field === name)
  if (its.length === 0) return []
  if (name !== 'streams') return [figures(its), ...references[name].map((other) => against(its, other))]
  const own = its.filter((route) => route.name.startsWith('rystra'))
  return [figures(its), ...own.map((route) => ratios(its, route.name)), memory(its)]
}

const hosts = (found: RegistryResult | string | undefined): string => {
  if (found === undefined || typeof found === 'string') return ''
  const { lookups, requests } = found
  const seconds = (milliseconds: number): string => number(milliseconds / 1000, 2)
  const rows = lookups.map((one, index) => {
    const request = requests[index]
    const times = [one.exact, one.wildcard, one.path, one.claim].map((time) => number(time, 0))
    return [
      `${number(one.hosts, 0)} hosts`,
      ...times,
      ...[request?.exact, request?.wildcard, request?.path].map((time) => number(time, 0))
    ]
  })
  return [
    `  ${number(found.hosts, 0)} hosts of ${found.clients} clients: published in ${seconds(found.registered)} s, ` +
      `all but ten taken back in ${seconds(found.removed)} s; each takes ${kibibytes(found.server)} KiB of heap and ` +
      `external memory at the server, ${kibibytes(found.client)} KiB at the client`,
    grid([
      ['look-up among', 'exact ns', 'wildcard', 'path', 'claim', 'request: exact p50 µs', 'wildcard', 'path'],
      ...rows
    ])
  ].join('\n')
}

const clocks = (found: ClockResult | undefined): string => {
  if (found === undefined) return ''
  return [
    grid([
      ['clock error ms, simulated', 'p50', 'p95', 'its bound', 'beyond it'],
      ...found.offsets.map(({ name, p50, p95, bound, beyond }) => [
        name,
        ...[p50, p95, bound].map((value) => number(value, 3)),
        number(beyond, 0)
      ])
    ]),
    grid([
      ['jitter buffer, simulated', 'late %', 'added ms', 'p99 of jitter', 'reordered %'],
      ...found.buffers.map(({ name, late, added, jitter, reordered }) => [
        name,
        number(late, 2),
        ...[added, jitter, reordered].map((value) => number(value, 1))
      ])
    ])
  ].join('\n\n')
}

const memory = (routes: readonly RouteResult[]): string => {
  const held = routes.filter((route) => route.streams !== undefined)
  const clients = routes.filter((route) => route.clients !== undefined)
  const streams = grid([
    ['idle stream, KiB', 'streams', 'server', 'client', 'RSS of both'],
    ...held.map(({ name, streams: found }) => [
      name,
      number(found?.streams, 0),
      kibibytes(found?.server),
      kibibytes(found?.client),
      kibibytes(found?.resident)
    ])
  ])
  const idle = grid([
    ['idle client, KiB at the server', 'clients', 'heap + external', 'RSS', 'all, MiB'],
    ...clients.map(({ name, clients: found }) => [
      name,
      number(found?.clients, 0),
      kibibytes(found?.each),
      kibibytes(found?.resident),
      number((found?.total ?? Number.NaN) / 1024 ** 2, 1)
    ])
  ])
  return [held.length > 0 ? streams : '', clients.length > 0 ? idle : ''].filter((text) => text !== '').join('\n\n')
}

const value = ({ value: found, unit }: Goal): string => {
  if (!Number.isFinite(found)) return ''
  if (unit === 'bytes') return `${kibibytes(found)} KiB`
  if (unit === undefined) return number(found, 2)
  return `${number(found, unit === 'ns' ? 0 : 2)} ${unit}`
}

const judged = (goals: readonly Goal[]): string => {
  const known = goals.filter((goal) => goal.met !== undefined)
  const rows = known.map((goal) => [`${goal.met ? '✔' : '✖'} ${goal.text}`, value(goal)])
  const left = goals.length - known.length
  const rest = left === 0 ? '' : `  ${left} more were not measured: a peer or a measure that they take was not there`
  return [rows.length === 0 ? '' : grid(rows), rest].filter((text) => text !== '').join('\n')
}

const loads = { wrk: 'wrk', own: "the bench's own process" } as const

/** The whole report for people. */
export const table = (report: Report, goals: readonly Goal[]): string => {
  const { machine, routes, absent } = report
  const failures = routes.flatMap((route) => route.failures.map((failure) => `  ${route.name}: ${failure}`))
  if (typeof report.registry === 'string') failures.push(`  registry: ${report.registry}`)
  const parts = [
    `Node ${machine.node}, ${machine.system}, ${machine.processors}; loopback, ${report.rounds} rounds in turn, ` +
      `windows of ${report.windowMilliseconds} ms, ${Math.round(report.seconds)} s in all`,
    ...field(routes, 'streams'),
    ...field(routes, 'requests'),
    report.requestLoad === undefined ? '' : `  requests by ${loads[report.requestLoad]}`,
    ...field(routes, 'packets'),
    ...field(routes, 'hooks'),
    ...field(routes, 'open'),
    ...field(routes, 'watching'),
    ...field(routes, 'watching-requests'),
    hosts(report.registry),
    clocks(report.clock),
    `Aims\n${judged(goals)}`,
    `Measured\n${routes.map((route) => `  ${route.name}: ${route.title}`).join('\n')}`,
    absent.length === 0 ? '' : `Not measured\n${absent.map(({ name, why }) => `  ${name}: ${why}`).join('\n')}`,
    failures.length === 0 ? '' : `Failed\n${failures.join('\n')}`
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}
