import type { FieldName, MetricKey, Report, RouteResult } from './result.js'

/** One column: a figure, or two of a kind. */
interface Column {
  readonly title: string
  readonly keys: readonly MetricKey[]
  readonly digits: number
  /** More is better, so that the load itself may be the limit. */
  readonly rate: boolean
}

const columns: Readonly<Partial<Record<FieldName, readonly Column[]>>> = {
  streams: [
    { title: 'Gbit/s up / down, 1 stream', keys: ['up1', 'down1'], digits: 1, rate: true },
    { title: '8 streams', keys: ['up8', 'down8'], digits: 1, rate: true },
    { title: 'CPU s/GB', keys: ['cpu'], digits: 2, rate: false },
    { title: 'round trip µs, p50 / p99', keys: ['p50', 'p99'], digits: 0, rate: false },
    { title: 'new connections/s', keys: ['connections'], digits: 0, rate: true }
  ],
  requests: [
    { title: 'requests/s', keys: ['requests'], digits: 0, rate: true },
    { title: 'µs, p50 / p99', keys: ['requestP50', 'requestP99'], digits: 0, rate: false },
    { title: 'CPU µs each', keys: ['requestCpu'], digits: 0, rate: false }
  ],
  packets: [
    { title: 'datagrams/s up / down, 1,200 bytes', keys: ['up1200', 'down1200'], digits: 0, rate: true },
    { title: '64 bytes', keys: ['up64', 'down64'], digits: 0, rate: true },
    { title: 'round trips/s', keys: ['trip512'], digits: 0, rate: true },
    { title: 'CPU µs each', keys: ['datagramCpu'], digits: 1, rate: false }
  ]
}

/** Share of what the load does without a tunnel from which on the load may be the limit. */
const LIMIT_SHARE = 0.7

const titles: Partial<Record<FieldName, string>> = {
  streams: 'TCP',
  requests: 'HTTP, 64 connections that are kept',
  packets: 'UDP'
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const tableOf = (field: FieldName, routes: readonly RouteResult[]): string => {
  const its = routes.filter((route) => route.field === field)
  const shown = columns[field]?.filter(({ keys }) =>
    its.some(({ values }) => values[keys[0] as MetricKey] !== undefined)
  )
  const [load] = its
  if (load === undefined || shown === undefined || shown.length === 0) return ''
  const cell = ({ values }: RouteResult, { keys, digits, rate }: Column): string =>
    keys
      .map((key) => {
        const value = values[key]?.median
        if (value === undefined || !Number.isFinite(value)) return '–'
        const text = value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
        const most = load.values[key]?.median ?? Number.POSITIVE_INFINITY
        return rate && values !== load.values && value > most * LIMIT_SHARE ? `${text}*` : text
      })
      .join(' / ')
  return [
    `### ${titles[field]}`,
    '',
    row(['', ...shown.map(({ title }) => title)]),
    row(['---', ...shown.map(() => '---:')]),
    ...its.map((route) =>
      row([route === load ? 'no tunnel: the load alone' : route.name, ...shown.map((one) => cell(route, one))])
    )
  ].join('\n')
}

/** The tables of the README, as Markdown. */
export const readmeTable = (report: Report): string => {
  const { machine, routes, absent } = report
  const fields = Object.keys(columns) as FieldName[]
  const missing = absent.map(({ name, why }) => `${name} (${why})`)
  return [
    ...fields.map((field) => tableOf(field, routes)).filter((text) => text !== ''),
    `Medians of up to ${report.rounds} rounds in turn, windows of ${report.windowMilliseconds} ms, both ends and the load on one machine: ` +
      `${machine.processors}, ${machine.system}, Node ${machine.node}, loopback. An asterisk: more than ${LIMIT_SHARE * 100} % of what the load does ` +
      'without a tunnel, so that the load may be the limit.',
    missing.length === 0 ? '' : `Not measured: ${missing.join(', ')}.`
  ]
    .filter((text) => text !== '')
    .join('\n\n')
}
