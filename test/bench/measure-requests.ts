import type { Way } from './field.js'
import { benchHost } from './host.js'
import type { RequestRates, RequestTask } from './load/requester.js'
import type { Load } from './load/index.js'
import type { BenchOptions } from './options.js'
import { which } from './peer.js'
import type { Scratch } from './scratch.js'
import { cpuSeconds } from './usage.js'

/** Visitors at a time, each on a connection that it keeps. */
const VISITORS = 64

/** What one measurement of requests gave; times in microseconds. */
export interface Requests extends RequestRates {
  /** CPU microseconds of the relaying processes for each request; NaN where nothing relays, or where it is not known. */
  readonly cpu: number
}

/** What makes the requests of a run. */
export const requestLoad = ({ ownLoad }: BenchOptions): 'wrk' | 'own' =>
  ownLoad || which('wrk') === undefined ? 'own' : 'wrk'

const units: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 60e6 }

/** Reads what `wrk --latency` prints. Throws when some requests failed. */
export const readWrk = (text: string): RequestRates => {
  const failed = /Socket errors: (.*)|Non-2xx or 3xx responses: .*/.exec(text)
  if (failed !== null) throw new Error(`wrk: ${failed[0]}`)
  const share = (percent: number): number => {
    const [, value, unit = ''] = new RegExp(`^ +${percent}% +([\\d.]+)(us|ms|s|m)$`, 'm').exec(text) ?? []
    return Number(value) * (units[unit] ?? Number.NaN)
  }
  const perSecond = Number(/^Requests\/sec: +([\d.]+)$/m.exec(text)?.[1])
  if (!(perSecond > 0)) throw new Error(`wrk said: ${text.trim().split('\n').at(-1)}`)
  return { perSecond, p50: share(50), p99: share(99) }
}

const wrk = async (scratch: Scratch, { address, connections, milliseconds }: RequestTask): Promise<RequestRates> => {
  const time = `${Math.max(1, Math.round(milliseconds / 1000))}s`
  const url = `http://${address.host}:${address.port}/`
  const args = ['-t1', `-c${connections}`, `-d${time}`, '--latency', '-H', `Host: ${benchHost}`, url]
  const program = scratch.start(which('wrk') as string, args)
  await new Promise((resolve) => program.child.once('close', resolve))
  return readWrk(program.said())
}

/** Requests of visitors that keep their connections, as many as go through. */
export const measureRequests = async (
  load: Load,
  { route: { address, pids } }: Way,
  options: BenchOptions,
  scratch: Scratch
): Promise<Requests> => {
  const ask = (milliseconds: number): Promise<RequestRates> => {
    const task: RequestTask = { address, places: [`${benchHost}/`], connections: VISITORS, milliseconds }
    return requestLoad(options) === 'wrk' ? wrk(scratch, task) : load.requester.call<RequestRates>('ask', task)
  }
  await ask(options.warmup)
  const before = cpuSeconds(pids)
  const begin = performance.now()
  const found = await ask(options.window)
  const seconds = (performance.now() - begin) / 1000
  const cpu = pids.length === 0 ? Number.NaN : ((cpuSeconds(pids) - before) / (found.perSecond * seconds)) * 1e6
  return { ...found, cpu }
}
