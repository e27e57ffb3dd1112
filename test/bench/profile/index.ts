/** `npm run bench:profile`: what each step of the byte path costs, see docs/performance.md. */
import path from 'node:path'
import { parseArgs } from 'node:util'
import { loopback } from '../address.js'
import { Load } from '../load/index.js'
import { type Tunnel, startTunnel } from '../peers/rystra.js'
import { Scratch } from '../scratch.js'
import { median } from '../statistics.js'
import { type Calls, cpuMicroseconds, trace } from './costs.js'
import { type Counting, type Done, type Step, steps, usualSteps } from './steps.js'

const usage = `npm run bench:profile [-- options]

  CPU of each end for one unit: a megabyte, a connection, a round trip, a request. By the scheduler's count, so that
  it says the same on a machine that does other things besides.

  --steps a,b       ${usualSteps.join(', ')}; or any <way>-<load>, or a part of a name
  --share x         of the usual 500 MB, 1,500 connections, 4,000 round trips … of each step (default 1)
  --rounds n        of all steps in turn; the medians are shown (default 3)
  --against dir     another checkout, built, measured in alternation with this one
  --fail-above n    percent that a step may cost more than in the other checkout; exits with 1 above it
  --calls           also counts system calls for each unit (needs strace)
  --time            also samples the functions that take most of the time
  --allocations     also samples what allocates most, and counts allocated bytes for each unit
  --help            this`

const { values } = parseArgs({
  options: {
    steps: { type: 'string' },
    share: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    against: { type: 'string' },
    'fail-above': { type: 'string' },
    calls: { type: 'boolean', default: false },
    time: { type: 'boolean', default: false },
    allocations: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

interface Cost {
  /** Microseconds of CPU for one unit. */
  readonly server: number
  readonly client: number
  readonly seen: string
}

interface Sampled {
  readonly total: number
  readonly most: readonly { place: string; value: number }[]
}

const chosen = (): Step[] => {
  const names = values.steps?.split(',') ?? usualSteps
  const exact = steps.filter(({ name }) => names.includes(name))
  const found = exact.length > 0 ? exact : steps.filter(({ name }) => names.some((part) => name.includes(part)))
  if (found.length === 0) throw new Error(`no step has ${names.join(' or ')} in its name: see --help`)
  return found
}

const uncounted: Counting = { begin() {}, end() {} }

/** Brings one tunnel up for each measurement, so that none meets what another has left. */
class Bench {
  readonly #scratch: Scratch
  readonly #load: Load

  constructor(scratch: Scratch) {
    this.#scratch = scratch
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
      const target = { address: tunnel.address, port, load: this.#load }
      return await use(tunnel, (counting) => step.run(target, Number(values.share), counting))
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
      return { server: (after[0] - before[0]) / units, client: (after[1] - before[1]) / units, seen }
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

const show = ({ name, unit }: Step, costs: readonly Cost[]): number => {
  const of = (pick: (cost: Cost) => number): number => median(costs.map(pick))
  const [server, client, both] = [
    of((cost) => cost.server),
    of((cost) => cost.client),
    of((cost) => cost.server + cost.client)
  ]
  const seen = costs[Math.floor(costs.length / 2)]?.seen ?? ''
  console.log(
    `${name.padEnd(24)} ${both.toFixed(1).padStart(8)} µs for each ${unit}: server ${server.toFixed(1)}, client ${client.toFixed(1)} (${seen})`
  )
  return both
}

const profile = async (scratch: Scratch): Promise<void> => {
  const bench = new Bench(scratch)
  const { against } = values
  for (const step of chosen()) {
    const here: Cost[] = []
    const there: Cost[] = []
    for (let round = 0; round < Number(values.rounds); round += 1) {
      if (against !== undefined && round % 2 === 0) there.push(await bench.cost(step, against))
      here.push(await bench.cost(step, undefined))
      if (against !== undefined && round % 2 === 1) there.push(await bench.cost(step, against))
    }
    const now = show(step, here)
    if (against !== undefined) {
      const before = show({ ...step, name: '  the other checkout' }, there)
      console.log(`  ${(now / before).toFixed(2)} ×`)
      if (values['fail-above'] !== undefined && now > before * (1 + Number(values['fail-above']) / 100)) {
        console.log(`  more than ${values['fail-above']} % above the other checkout`)
        process.exitCode = 1
      }
    }
    if (values.calls) await bench.calls(step)
    if (values.time) await bench.sample(step, 'time')
    if (values.allocations) await bench.sample(step, 'allocations')
  }
}

if (values.help) console.log(usage)
else {
  const scratch = new Scratch()
  process.once('exit', () => scratch.abandon())
  process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
  try {
    await profile(scratch)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  } finally {
    await scratch.close()
  }
}
