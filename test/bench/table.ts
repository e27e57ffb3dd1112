import type { Goal } from './goals.js'
import { type Metric, type MetricKey, metrics, type Report, type RouteResult, medianOf } from './result.js'

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

const ratios = (routes: readonly RouteResult[], ours: string): string => {
  const shown = columns(routes)
  const others = routes.filter(({ name }) => name !== ours)
  if (shown.length === 0 || others.length === 0) return ''
  const ratio = (name: string, key: MetricKey): number => medianOf(routes, ours, key) / medianOf(routes, name, key)
  return grid([
    [`${ours} ÷`, ...shown.map(({ title }) => title.replace(' Gbit/s', ''))],
    ...others.map(({ name }) => [name, ...shown.map(({ key }) => number(ratio(name, key), 2))])
  ])
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

const value = ({ value: found }: Goal): string =>
  !Number.isFinite(found) ? '' : found > 1000 ? `${kibibytes(found)} KiB` : number(found, 2)

const judged = (goals: readonly Goal[]): string => {
  const known = goals.filter((goal) => goal.met !== undefined)
  const rows = known.map((goal) => [`${goal.met ? '✔' : '✖'} ${goal.text}`, value(goal)])
  const left = goals.length - known.length
  const rest = left === 0 ? '' : `  ${left} more were not measured: a peer or a measure that they take was not there`
  return [rows.length === 0 ? '' : grid(rows), rest].filter((text) => text !== '').join('\n')
}

/** The whole report for people. */
export const table = (report: Report, goals: readonly Goal[]): string => {
  const { machine, routes, absent } = report
  const failures = routes.flatMap((route) => route.failures.map((failure) => `  ${route.name}: ${failure}`))
  const parts = [
    `Node ${machine.node}, ${machine.system}, ${machine.processors}; loopback, ${report.rounds} rounds in turn, ` +
      `windows of ${report.windowMilliseconds} ms, ${Math.round(report.seconds)} s in all`,
    figures(routes),
    ...routes.filter((route) => route.name.startsWith('rystra')).map((route) => ratios(routes, route.name)),
    memory(routes),
    `Aims\n${judged(goals)}`,
    `Measured\n${routes.map((route) => `  ${route.name}: ${route.title}`).join('\n')}`,
    absent.length === 0 ? '' : `Not measured\n${absent.map(({ name, why }) => `  ${name}: ${why}`).join('\n')}`,
    failures.length === 0 ? '' : `Failed\n${failures.join('\n')}`
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}
