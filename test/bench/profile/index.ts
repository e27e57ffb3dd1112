/** `npm run bench:profile`: what each step of the byte path costs, see docs/performance.md. */
import { parseArgs } from 'node:util'
import { Scratch } from '../scratch.js'
import { median } from '../statistics.js'
import { type Cost, ProfileBench } from './bench.js'
import { type Step, stepsNamed, usualSteps } from './steps.js'

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

const measure = async (bench: ProfileBench, step: Step): Promise<void> => {
  const { against } = values
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

/** A step that fails is told, and the others go on. */
const profile = async (scratch: Scratch): Promise<void> => {
  const bench = new ProfileBench(scratch, Number(values.share))
  for (const step of stepsNamed(values.steps?.split(',') ?? usualSteps)) {
    try {
      await measure(bench, step)
    } catch (error) {
      console.log(`${step.name.padEnd(24)} failed: ${(error as Error).message}`)
      process.exitCode = 1
    }
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
