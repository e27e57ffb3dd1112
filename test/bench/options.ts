import { parseArgs } from 'node:util'
import { readmeSuite } from './readme-suite.js'

/** What is measured. */
export const measures = [
  'bulk',
  'latency',
  'connections',
  'links',
  'streams',
  'clients',
  'requests',
  'packets',
  'hooks',
  'open',
  'watching',
  'registry',
  'clock'
] as const
export type Measure = (typeof measures)[number]

/** What the bench was asked to do, and for how long. */
export interface BenchOptions {
  readonly json: boolean
  /** Routes to keep, by name or by a part of it; empty for all. */
  readonly only: readonly string[]
  /** Peers besides our own routes and the direct one; empty for all, `none` for none. */
  readonly peers: readonly string[]
  readonly measures: ReadonlySet<Measure>
  /** Every route is measured once in each round, in turn. */
  readonly rounds: number
  /** Milliseconds of one measurement of bytes, requests or datagrams; what comes before it is not counted. */
  readonly window: number
  readonly warmup: number
  /** Round trips of one latency measurement. */
  readonly trips: number
  /** Milliseconds of one measurement of new connections. */
  readonly connecting: number
  /** Idle streams that are held, as many as the descriptor limit lets us. */
  readonly streams: number
  /** Idle clients that are held. */
  readonly clients: number
  /** Hosts that are registered, at ten clients together. */
  readonly hosts: number
  /** Whether requests come from the bench's own process also where wrk is installed. */
  readonly ownLoad: boolean
  /** The table of the README is printed, as Markdown. */
  readonly suite?: 'readme'
  /** Maximum duration of a run in seconds; the number of rounds is reduced to fit. */
  readonly seconds?: number
}

const usage = `npm run bench [-- options]

  --suite readme    the tables of the README, as Markdown, in ten minutes: ours and every peer that is installed
  --quick           short windows and few rounds: a look, not a result
  --json            one JSON object on stdout; the table goes to stderr
  --only a,b        routes whose name has one of these in it, or is =it: direct, rystra, =rystra-tls-yamux …
  --peers a,b       peers to look for; \`none\` for our own routes alone
  --measure a,b     ${measures.join(', ')}
  --rounds n        rounds of every route in turn (default 5, quick 2)
  --window ms       one measurement of bytes, requests or datagrams (default 3000, quick 800)
  --streams n       idle streams (default 10000, quick 1000)
  --clients n       idle clients (default 1000, quick 100)
  --hosts n         hosts of ten clients together (default 10000, quick 1000)
  --own-load        requests from a process of the bench also where wrk is installed
  --help            this`

const list = (text: string | undefined): string[] =>
  (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const count = (name: string, text: string | undefined, otherwise: number): number => {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`--${name} takes a whole number from 1 up, not ${text}`)
  return value
}

const chosen = (text: string | undefined): Set<Measure> => {
  const names = text === undefined ? measures : list(text)
  for (const name of names) {
    if (!measures.includes(name as Measure)) throw new Error(`--measure knows ${measures.join(', ')}, not ${name}`)
  }
  return new Set(names as readonly Measure[])
}

/** Throws an error for people when the arguments make no sense. `undefined` when help was asked for and given. */
export const parseOptions = (args: readonly string[]): BenchOptions | undefined => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      suite: { type: 'string' },
      help: { type: 'boolean', default: false },
      only: { type: 'string' },
      peers: { type: 'string' },
      measure: { type: 'string' },
      rounds: { type: 'string' },
      window: { type: 'string' },
      streams: { type: 'string' },
      clients: { type: 'string' },
      hosts: { type: 'string' },
      'own-load': { type: 'boolean', default: false }
    }
  })
  if (values.help) {
    console.log(usage)
    return undefined
  }
  if (values.suite !== undefined && values.suite !== 'readme')
    throw new Error(`--suite knows readme, not ${values.suite}`)
  const quick = values.quick
  const suite = values.suite === undefined ? {} : readmeSuite
  return {
    json: values.json,
    only: list(values.only),
    peers: list(values.peers),
    measures: chosen(values.measure),
    rounds: count('rounds', values.rounds, quick ? 2 : 5),
    window: count('window', values.window, quick ? 800 : 3000),
    warmup: quick ? 300 : 700,
    trips: quick ? 2000 : 10_000,
    connecting: quick ? 800 : 2000,
    streams: count('streams', values.streams, quick ? 1000 : 10_000),
    clients: count('clients', values.clients, quick ? 100 : 1000),
    hosts: count('hosts', values.hosts, quick ? 1000 : 10_000),
    ownLoad: values['own-load'],
    ...suite,
    ...(values.only === undefined ? {} : { only: list(values.only) }),
    ...(values.measure === undefined ? {} : { measures: chosen(values.measure) })
  }
}
