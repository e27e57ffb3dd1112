import os from 'node:os'
import { loopback } from './address.js'
import { measureClock } from './clock.js'
import type { Field, Round, Way } from './field.js'
import { fields } from './fields/index.js'
import { Load } from './load/index.js'
import { requestLoad } from './measure-requests.js'
import { measureClients, measureStreams } from './memory.js'
import type { BenchOptions } from './options.js'
import { type Peer, which } from './peer.js'
import { measureRegistry, type RegistryResult } from './registry.js'
import type { Absent, MetricKey, Report, RouteResult } from './result.js'
import type { Scratch } from './scratch.js'
import { series } from './statistics.js'
import { descriptorLimit } from './usage.js'

/** Reports progress. */
export type Progress = (text: string) => void

const wanted = (options: BenchOptions, { baseline, own, others }: Field): { peers: Peer[]; absent: Absent[] } => {
  const among = (names: readonly string[], name: string): boolean =>
    names.length === 0 || names.some((part) => (part.startsWith('=') ? name === part.slice(1) : name.includes(part)))
  const chosen = [baseline, ...own, ...others.filter(({ name }) => among(options.peers, name))].filter(({ name }) =>
    among(options.only, name)
  )
  const missing = ({ programs }: Peer): string[] => programs.filter((program) => which(program) === undefined)
  return {
    peers: chosen.filter((peer) => missing(peer).length === 0),
    absent: chosen
      .filter((peer) => missing(peer).length > 0)
      .map((peer) => ({ name: peer.name, why: `${missing(peer).join(' and ')} not found on PATH` }))
  }
}

/** A whole run. */
export class Bench {
  readonly #options: BenchOptions
  readonly #scratch: Scratch
  readonly #progress: Progress
  readonly #load: Load
  readonly #results = new Map<string, RouteResult>()

  constructor(options: BenchOptions, scratch: Scratch, progress: Progress) {
    this.#options = options
    this.#scratch = scratch
    this.#progress = progress
    this.#load = new Load(scratch)
  }

  async run(signal: AbortSignal): Promise<Report> {
    const start = performance.now()
    const { measures } = this.#options
    const absent: Absent[] = []
    const measured = fields.filter((field) => field.measures.some((measure) => measures.has(measure)))
    for (const [index, field] of measured.entries()) {
      const ways = await this.#startAll(field, absent, signal)
      const left = (this.#options.seconds ?? Number.POSITIVE_INFINITY) * 1000 - (performance.now() - start)
      // Those after it have as much of what is left.
      await this.#rounds(field, ways, signal, performance.now() + left / (measured.length - index))
      if (field.name === 'streams') await this.#memory(ways, signal)
    }
    const registry = measures.has('registry') ? { registry: await this.#registry(signal) } : {}
    const clock = measures.has('clock') ? { clock: measureClock(this.#options) } : {}
    const [processor] = os.cpus()
    return {
      machine: {
        node: process.versions.node,
        system: `${os.type()} ${os.release()}`,
        processors: `${os.cpus().length} × ${processor?.model.trim() ?? 'unknown'}`,
        descriptors: descriptorLimit()
      },
      rounds: this.#options.rounds,
      windowMilliseconds: this.#options.window,
      seconds: (performance.now() - start) / 1000,
      routes: [...this.#results.values()],
      ...(measures.has('requests') ? { requestLoad: requestLoad(this.#options) } : {}),
      ...registry,
      ...clock,
      absent
    }
  }

  async #startAll(field: Field, absent: Absent[], signal: AbortSignal): Promise<Way[]> {
    const { peers, absent: missing } = wanted(this.#options, field)
    absent.push(...missing)
    const ways: Way[] = []
    for (const peer of peers) {
      signal.throwIfAborted()
      try {
        ways.push(await this.#start(field, peer, signal))
      } catch (error) {
        this.#progress(`${peer.name} did not start: ${(error as Error).message}`)
        absent.push({ name: peer.name, why: `did not start: ${(error as Error).message.split('\n').at(-1)}` })
      }
    }
    return ways
  }

  async #start(field: Field, peer: Peer, signal: AbortSignal): Promise<Way> {
    this.#progress(`starting ${peer.name}`)
    const port = await field.open(this.#load)
    const route = await peer.start({ host: loopback, port }, this.#scratch)
    const way = { name: peer.name, port, ...(peer.plain === true ? { muxer: peer.muxer } : {}) }
    await field.ready(route.address, way, this.#load, signal)
    this.#results.set(peer.name, { field: field.name, name: peer.name, title: peer.title, values: {}, failures: [] })
    return { ...way, route }
  }

  async #rounds(field: Field, ways: readonly Way[], signal: AbortSignal, end: number): Promise<void> {
    const kept = new Map<string, Map<MetricKey, number[]>>(ways.map(({ name }) => [name, new Map()]))
    const start = performance.now()
    for (let round = 1; round <= this.#options.rounds; round++) {
      const each = (performance.now() - start) / (round - 1)
      if (round > 1 && performance.now() + each > end) break
      for (const way of ways) {
        signal.throwIfAborted()
        this.#progress(`round ${round} of ${this.#options.rounds}: ${way.name}`)
        const values = kept.get(way.name) as Map<MetricKey, number[]>
        const keep: Round['keep'] = (key, value) => void values.set(key, [...(values.get(key) ?? []), value])
        const attempt: Round['attempt'] = (what, measure) => this.#try(way, what, measure)
        await field.once({ load: this.#load, way, options: this.#options, scratch: this.#scratch, keep, attempt })
      }
    }
    for (const [name, values] of kept) {
      const result = this.#results.get(name) as RouteResult
      for (const [key, rounds] of values) result.values[key] = series(rounds)
    }
  }

  async #registry(signal: AbortSignal): Promise<RegistryResult | string> {
    signal.throwIfAborted()
    try {
      return await measureRegistry(this.#load, this.#scratch, this.#options, this.#progress)
    } catch (error) {
      return (error as Error).message
    }
  }

  async #memory(ways: readonly Way[], signal: AbortSignal): Promise<void> {
    const { measures, streams, clients } = this.#options
    // The server of mux-direct has two descriptors for each stream, and every program a few of its own.
    const most = Math.floor((descriptorLimit() - 500) / 2)
    const many = Math.min(streams, most)
    if (measures.has('streams')) {
      for (const way of ways.filter(({ route }) => route.pids.length > 0)) {
        signal.throwIfAborted()
        this.#progress(`${many} idle streams: ${way.name}${many < streams ? ' (descriptor limit)' : ''}`)
        await this.#try(way, 'idle streams', async () => {
          const result = this.#results.get(way.name) as RouteResult
          result.streams = await measureStreams(this.#load, way, many)
        })
      }
    }
    if (!measures.has('clients')) return
    for (const way of ways.filter(({ muxer }) => muxer !== undefined)) {
      signal.throwIfAborted()
      this.#progress(`${clients} idle clients: ${way.name}`)
      await this.#try(way, 'idle clients', async () => {
        const result = this.#results.get(way.name) as RouteResult
        result.clients = await measureClients(this.#scratch, way.muxer as string, clients)
      })
    }
  }

  /** A measurement that fails is told, and the others go on. */
  async #try(way: Way, what: string, measure: () => Promise<void>): Promise<void> {
    try {
      await measure()
    } catch (error) {
      this.#results.get(way.name)?.failures.push(`${what}: ${(error as Error).message}`)
    }
  }
}
