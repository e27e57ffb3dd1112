import type { Address } from './address.js'
import type { Way } from './field.js'
import type { Count, Direction } from './load/bulk.js'
import type { Load } from './load/index.js'
import type { Latency } from './load/trips.js'
import type { BenchOptions } from './options.js'
import { cpuSeconds } from './usage.js'

/** What one bulk measurement gave. */
export interface Throughput {
  readonly gigabits: number
  /** CPU seconds of the relaying processes per 10⁹ bytes; NaN where nothing relays, or where it is not known. */
  readonly cpuPerGigabyte: number
}

const settled = 5000

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Waits until nothing of the last measurement is under way any more. */
export const settle = async ({ service }: Load, port: number): Promise<void> => {
  const end = performance.now() + settled
  while ((await service.call<number>('open', port)) > 0 && performance.now() < end) await pause(20)
  // What a peer does not close by itself, ssh for one keeps some, must not run into the next measurement.
  await service.call('drop', port)
}

/** Bytes of so many streams in one direction within a window, counted where they arrive. */
export const measureBulk = async (
  load: Load,
  way: Way,
  direction: Direction,
  streams: number,
  options: BenchOptions
): Promise<Throughput> => {
  const { visitor, service } = load
  const count = (): Promise<Count> =>
    direction === 'up' ? service.call<Count>('count', way.port) : visitor.call<Count>('count')
  try {
    await visitor.call('bulk', { address: way.route.address, direction, streams }, 20_000)
    await pause(options.warmup)
    const cpuBefore = cpuSeconds(way.route.pids)
    const before = await count()
    await pause(options.window)
    let after = await count()
    // A short window on a machine that does much else: the figure is by the time that it took.
    for (const late = performance.now() + settled; after.bytes === before.bytes && performance.now() < late; ) {
      await pause(options.window)
      after = await count()
    }
    const cpu = cpuSeconds(way.route.pids) - cpuBefore
    if (direction === 'up') await visitor.call('count')
    const bytes = after.bytes - before.bytes
    if (bytes === 0) throw new Error('no byte arrived')
    const gigabits = (bytes * 8) / 1e6 / (after.at - before.at)
    return { gigabits, cpuPerGigabyte: way.route.pids.length === 0 ? Number.NaN : (cpu / bytes) * 1e9 }
  } finally {
    await visitor.call('stop')
    await settle(load, way.port)
  }
}

export const measureLatency = async (load: Load, way: Way, { trips }: BenchOptions): Promise<Latency> => {
  const latency = await load.visitor.call<Latency>('trips', { address: way.route.address, trips })
  await settle(load, way.port)
  return latency
}

/** Connections a second, and the CPU microseconds of the relaying processes for each; NaN where nothing relays. */
export const measureNew = async (
  load: Load,
  way: Way,
  { connecting }: BenchOptions
): Promise<{ readonly rate: number; readonly cpu: number }> => {
  const { address, pids } = way.route
  const task: { address: Address; milliseconds: number } = { address, milliseconds: connecting }
  const before = cpuSeconds(pids)
  const begin = performance.now()
  const rate = await load.visitor.call<number>('connections', task)
  const seconds = (performance.now() - begin) / 1000
  const cpu = pids.length === 0 ? Number.NaN : ((cpuSeconds(pids) - before) / (rate * seconds)) * 1e6
  await settle(load, way.port)
  return { rate, cpu }
}
