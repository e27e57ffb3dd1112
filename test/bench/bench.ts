import { fork } from 'node:child_process'
import os from 'node:os'
import { fileURLToPath } from 'node:url'
import { loopback, untilEchoes } from './address.js'
import { Remote } from './load/remote.js'
import { type Load, measureBulk, measureLatency, measureNew, type Way } from './measure.js'
import { measureClients, measureStreams } from './memory.js'
import type { BenchOptions } from './options.js'
import { type Peer, which } from './peer.js'
import { baseline, others, own } from './peers/index.js'
import type { Absent, MetricKey, Report, RouteResult } from './result.js'
import type { Scratch } from './scratch.js'
import { series } from './statistics.js'
import { descriptorLimit } from './usage.js'

/** Tells whoever waits what goes on. */
export type Progress = (text: string) => void

const loader = ['--conditions=rystra-source', '--import=tsx']

const worker = (scratch: Scratch, name: string): Remote => {
  const file = fileURLToPath(new URL(`load/${name}.ts`, import.meta.url))
  const child = fork(file, [], { execArgv: loader, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  scratch.adopt(child, name)
  return new Remote(child)
}

const wanted = (options: BenchOptions): { peers: Peer[]; absent: Absent[] } => {
  const among = (names: readonly string[], name: string): boolean =>
    names.length === 0 || names.some((part) => (part.startsWith('=') ? name === part.slice(1) : name.includes(part)))
  const asked = [baseline, ...own, ...others.filter(({ name }) => among(options.peers, name))].filter(({ name }) =>
    among(options.only, name)
  )
  const missing = ({ programs }: Peer): string[] => programs.filter((program) => which(program) === undefined)
  return {
    peers: asked.filter((peer) => missing(peer).length === 0),
    absent: asked
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
    this.#load = { visitor: worker(scratch, 'visitor'), service: worker(scratch, 'service') }
  }

  async run(signal: AbortSignal): Promise<Report> {
    const start = performance.now()
    const { peers, absent } = wanted(this.#options)
    const ways: Way[] = []
    for (const peer of peers) {
      signal.throwIfAborted()
      try {
        ways.push(await this.#start(peer, signal))
      } catch (error) {
        this.#progress(`${peer.name} did not start: ${(error as Error).message}`)
        absent.push({ name: peer.name, why: `did not start: ${(error as Error).message.split('\n').at(-1)}` })
      }
    }
    await this.#rounds(ways, signal)
    await this.#memory(ways, signal)
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
      absent
    }
  }

  async #start(peer: Peer, signal: AbortSignal): Promise<Way> {
    this.#progress(`starting ${peer.name}`)
    const port = await this.#load.service.call<number>('listen')
    const route = await peer.start({ host: loopback, port }, this.#scratch)
    await untilEchoes(route.address, signal)
    this.#results.set(peer.name, { name: peer.name, title: peer.title, values: {}, failures: [] })
    return { name: peer.name, route, port, ...(peer.plain === true ? { muxer: peer.muxer } : {}) }
  }

  async #rounds(ways: readonly Way[], signal: AbortSignal): Promise<void> {
    const kept = new Map<string, Map<MetricKey, number[]>>(ways.map(({ name }) => [name, new Map()]))
    for (let round = 1; round <= this.#options.rounds; round++) {
      for (const way of ways) {
        signal.throwIfAborted()
        this.#progress(`round ${round} of ${this.#options.rounds}: ${way.name}`)
        const values = kept.get(way.name) as Map<MetricKey, number[]>
        await this.#once(way, (key, value) => values.set(key, [...(values.get(key) ?? []), value]))
      }
    }
    for (const [name, values] of kept) {
      const result = this.#results.get(name) as RouteResult
      for (const [key, rounds] of values) result.values[key] = series(rounds)
    }
  }

  async #once(way: Way, keep: (key: MetricKey, value: number) => void): Promise<void> {
    const { measures } = this.#options
    if (measures.has('bulk')) {
      const costs: number[] = []
      for (const streams of [1, 8] as const) {
        for (const direction of ['up', 'down'] as const) {
          await this.#try(way, `${direction} ×${streams}`, async () => {
            const found = await measureBulk(this.#load, way, direction, streams, this.#options)
            keep(`${direction}${streams}`, found.gigabits)
            costs.push(found.cpuPerGigabyte)
          })
        }
      }
      keep('cpu', costs.reduce((sum, cost) => sum + cost, 0) / costs.length)
    }
    if (measures.has('latency')) {
      await this.#try(way, 'round trips', async () => {
        const { p50, p99 } = await measureLatency(this.#load, way, this.#options)
        keep('p50', p50)
        keep('p99', p99)
      })
    }
    if (measures.has('connections')) {
      await this.#try(way, 'new connections', async () => {
        keep('connections', await measureNew(this.#load, way, this.#options))
      })
    }
    const { links } = way.route
    if (measures.has('links') && links !== undefined) {
      await this.#try(way, 'links', async () => {
        const milliseconds = this.#options.connecting
        keep('links', await links({ milliseconds, resumed: false }))
        keep('resumed', await links({ milliseconds, resumed: true }))
      })
    }
  }

  async #memory(ways: readonly Way[], signal: AbortSignal): Promise<void> {
    const { measures, streams, clients } = this.#options
    // The server of mux-direct has two descriptors for each stream, and everybody a few of its own.
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
