import type { LineOptions } from '@rystra/testkit'
import { ClockWorld, quantile } from '../../framework/rpc/test/clock-world.js'
import { StreamWorld } from '../../framework/rpc/test/stream-world.js'
import type { BenchOptions } from './options.js'

/** How wrong the clock of a session is, in milliseconds, over several seeds. */
export interface OffsetFigure {
  readonly name: string
  readonly p50: number
  readonly p95: number
  /** The bound that the clock itself gives, p50. */
  readonly bound: number
  /** How often the error was beyond its bound. */
  readonly beyond: number
  /** The most that p50 and p95 may be. */
  readonly goal: { readonly p50?: number; readonly p95?: number }
}

/** What the jitter buffer does with 20 ms messages, 100 ppm and 2 % loss. */
export interface BufferFigure {
  readonly name: string
  /** Percent of what arrived. */
  readonly late: number
  /** Mean delay beyond the fastest trip, and p99 of the jitter, in milliseconds. */
  readonly added: number
  readonly jitter: number
  readonly reordered: number
}

/** Clock and jitter buffer on simulated lines: seeded, so each run has the same figures. */
export interface ClockResult {
  readonly offsets: readonly OffsetFigure[]
  readonly buffers: readonly BufferFigure[]
}

const LOOPBACK: LineOptions = { delay: 0.03, jitter: 0.02 }
const JITTERY: LineOptions = { delay: 10, jitter: 40 }
const TAILED: LineOptions = { delay: 10, jitter: 20, distribution: 'exponential' }
const LOSSY: LineOptions = { ...JITTERY, loss: 0.1, duplicates: 0.05 }
const BURST_MS = 2000
const LONG_MS = 600_000

interface OffsetCase {
  readonly name: string
  readonly to: LineOptions
  readonly from?: LineOptions
  readonly ppm?: number
  readonly ms: number
  readonly goal?: OffsetFigure['goal']
}

const offsetCases: readonly OffsetCase[] = [
  { name: 'loopback, 2 s', to: LOOPBACK, ms: BURST_MS, goal: { p95: 0.1 } },
  { name: '30 ± 20 ms, 2 s', to: JITTERY, ms: BURST_MS, goal: { p50: 2, p95: 5 } },
  { name: '10 ms + exp(20), 2 s', to: TAILED, ms: BURST_MS, goal: { p50: 2, p95: 5 } },
  { name: '10 there, 50 back, 2 s', to: { delay: 10 }, from: { delay: 50 }, ms: BURST_MS },
  { name: '30 ± 20 ms, 100 ppm, 10 min', to: JITTERY, ppm: 100, ms: LONG_MS, goal: { p95: 2 } },
  { name: '… 10 % lost, 5 % twice', to: LOSSY, ppm: 100, ms: LONG_MS, goal: { p95: 2 } },
  { name: '10 ms + exp(20), 100 ppm, 10 min', to: TAILED, ppm: 100, ms: LONG_MS, goal: { p95: 2 } },
  { name: 'loopback, 100 ppm, 10 min', to: LOOPBACK, ppm: 100, ms: LONG_MS, goal: { p95: 0.1 } }
]

const bufferCases: readonly (readonly [string, LineOptions])[] = [
  ['30 ± 20 ms', { ...JITTERY, loss: 0.02 }],
  ['20 ms + exp(8)', { delay: 20, jitter: 8, distribution: 'exponential', loss: 0.02 }],
  ['5 of 30 s with up to 60 ms more', { delay: 20, jitter: 5, loss: 0.02, extra: spell }],
  ['a stall of 120 ms each 10 s', { delay: 20, jitter: 5, loss: 0.02, ordered: true, extra: stall }]
]

/** Evenly from 0 to 60 ms, by the time alone. */
function spell(now: number): number {
  return now % 30_000 < 5000 ? (now * 7.31) % 60 : 0
}

function stall(now: number): number {
  return Math.max(0, 120 - (now % 10_000))
}

const offsetFigure = ({ name, ms, goal = {}, ...line }: OffsetCase, seeds: number): OffsetFigure => {
  const wrong: number[] = []
  const bounds: number[] = []
  let beyond = 0
  const record = (world: ClockWorld): void => {
    wrong.push(world.wrong)
    bounds.push(world.clock.error)
    if (world.wrong > world.clock.error) beyond++
  }
  for (let seed = 1; seed <= seeds; seed++) {
    const world = new ClockWorld({ ...line, seed })
    if (ms > BURST_MS) world.run(ms / 2)
    // Of a long run its second half counts, once a second.
    if (ms > BURST_MS) world.run(ms / 2, () => record(world), 1000)
    else {
      world.run(ms)
      record(world)
    }
  }
  return { name, p50: quantile(wrong, 0.5), p95: quantile(wrong, 0.95), bound: quantile(bounds, 0.5), beyond, goal }
}

const bufferFigure = (name: string, line: LineOptions, ms: number): BufferFigure => {
  const world = new StreamWorld({ line, ppm: 100 })
  world.run(ms)
  const { late, received, reordered } = world.buffer.stats
  return {
    name,
    late: (100 * late) / received,
    added: world.delays.reduce((sum, delay) => sum + delay, 0) / world.delays.length,
    jitter: quantile(world.transits, 0.99) - (line.delay ?? 0),
    reordered: (100 * reordered) / received
  }
}

/** @returns what `--measure clock` shows: about ten seconds of simulation, a few with `quick` */
export const measureClock = ({ rounds }: Pick<BenchOptions, 'rounds'>): ClockResult => ({
  offsets: offsetCases.map((each) => offsetFigure(each, rounds * (each.ms > BURST_MS ? 4 : 40))),
  buffers: bufferCases.map(([name, line]) => bufferFigure(name, line, 20 * 60_000))
})
