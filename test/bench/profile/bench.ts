import path from 'node:path'
import { loopback } from '../address.js'
import { Load } from '../load/index.js'
import { type Tunnel, startTunnel } from '../peers/rystra.js'
import type { Scratch } from '../scratch.js'
import { type Calls, cpuMicroseconds, trace } from './costs.js'
import { EventCount } from './instructions.js'
import type { Counting, Done, Step } from './steps.js'

/** What one unit of a step costs. */
export interface Cost {
  /** Microseconds of CPU for one unit. */
  readonly server: number
  readonly client: number
  readonly seen: string
}

/** Shares of the time, or bytes, by place. */
export interface Sampled {
  readonly total: number
  readonly most: readonly { place: string; value: number }[]
}

const uncounted: Counting = { begin() {}, end() {} }

/** Brings one tunnel up for each measurement, so that none meets what another has left. */
export class ProfileBench {
  readonly #scratch: Scratch
  readonly #load: Load
  readonly #share: number

  /** @param share of the usual number of units of each step */
  constructor(scratch: Scratch, share: number) {
    this.#scratch = scratch
    this.#share = share
    this.#load = new Load(scratch)
  }

  async with<Value>(
    step: Step,
    tree: string | undefined,
    use: (tunnel: Tunnel, run: (counting: Counting) => Promise<Done>) => Promise<Value>
  ): Promise<Value> {
    const port = await this.#load[step.service].call<number>('listen')
    const file = tree === undefined ? undefined : path.resolve(tree, 'test/bench/rystra-end.mjs')
    const tunnel = await startTunnel(step.way, step.published, { host: loopback, port }, this.#scratch, file)
    try {
      const target = { address: tunnel.address, port, load: this.#load, tunnel }
      return await use(tunnel, (counting) => step.run(target, this.#share, counting))
    } finally {
      process.kill(tunnel.server.pid)
      process.kill(tunnel.client.pid)
    }
  }

  cost(step: Step, tree: string | undefined): Promise<Cost> {
    return this.with(step, tree, async ({ server, client }, run) => {
      const both = (): [number, number] => [cpuMicroseconds(server.pid), cpuMicroseconds(client.pid)]
      let before: [number, number] = [0, 0]
      let after = before
      const { units, seen } = await run({
        begin() {
          before = both()
        },
        end() {
          after = both()
        }
      })
      // What nothing came of costs nothing that could be compared.
      if (!(units > 0)) throw new Error(`nothing passed (${seen})`)
      return { server: (after[0] - before[0]) / units, client: (after[1] - before[1]) / units, seen }
    })
  }

  /** How often an event happens at both ends for one unit, what leads up to it included. */
  events(step: Step, tree: string | undefined, event: string): Promise<number> {
    return this.with(step, tree, async ({ server, client }, run) => {
      const count = await EventCount.of([server.pid, client.pid], event)
      const { units, seen } = await run(uncounted)
      const total = await count.stop()
      if (!(units > 0)) throw new Error(`nothing passed (${seen})`)
      return total / units
    })
  }

  async calls(step: Step): Promise<void> {
    await this.with(step, undefined, async ({ server, client }, run) => {
      for (const [name, { pid }] of [
        ['server', server],
        ['client', client]
      ] as const) {
        const tracer = await trace(pid, this.#scratch)
        if (tracer === undefined) throw new Error('strace is not installed, or may not attach')
        // From the first byte on: what sets the load up is little beside it.
        const { units, seen } = await run(uncounted)
        const counted: Calls = await tracer.stop()
        const shown = Object.entries(counted)
          .sort(([, a], [, b]) => b - a)
          .slice(0, 12)
          .map(([call, count]) => `${call} ${(count / units).toFixed(2)}`)
        console.log(`  ${name}, calls for each ${step.unit} (traced: ${seen}): ${shown.join(', ')}`)
      }
    })
  }

  async sample(step: Step, what: 'time' | 'allocations'): Promise<void> {
    await this.with(step, undefined, async (tunnel, run) => {
      const { units } = await run({
        ...uncounted,
        begin() {
          for (const end of ['server', 'client'] as const) void tunnel[end].remote.call('sample', { what })
        }
      })
      for (const end of ['server', 'client'] as const) {
        const { total, most } = await tunnel[end].remote.call<Sampled>('sampled', { what })
        const sum = what === 'time' ? '' : `, ${(total / units).toFixed(0)} bytes for each ${step.unit}`
        console.log(`  ${end}, ${what}${sum}:`)
        for (const { place, value } of most.slice(0, 25)) {
          const shown = what === 'time' ? `${(value * 100).toFixed(1)} %` : (value / units).toFixed(0)
          console.log(`    ${shown.padStart(8)}  ${place}`)
        }
      }
    })
  }
}
