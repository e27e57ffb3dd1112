/**
 * `npm run bench:regression`: whether a unit costs more CPU than in the commit before. See README.md one folder up.
 *
 * Exits with 1 when a step does; with 0 also where there is nothing to compare with, and says so. With `--counted` it compares
 * instructions, and is skipped where the processor does not count them; otherwise CPU time.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Scratch } from '../scratch.js'
import { ProfileBench } from './bench.js'
import { checkOut, parentOf, removeCheckout, sameDependencies } from './parent-checkout.js'
import { type Step, stepsNamed } from './steps.js'
import { EventCount } from './instructions.js'
import { COUNTED_PAIRS, judge, type Pair, PAIRS } from './verdict.js'

/** The byte path, one connection, one request, one datagram. */
const STEPS = 'yamux-up,tls-yamux-up,yamux-connections,yamux-requests,yamux-datagrams-up'

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    steps: { type: 'string', default: STEPS },
    'fail-above': { type: 'string', default: '10' },
    seconds: { type: 'string', default: '170' },
    share: { type: 'string', default: '0.2' },
    counted: { type: 'boolean', default: false },
    event: { type: 'string', default: 'instructions:u' }
  }
})

const root = fileURLToPath(new URL('../../../', import.meta.url))
const end = performance.now() + Number(values.seconds) * 1000
const most = Number(values['fail-above']) / 100

const shown = ({ here, there }: Pair): string =>
  `${(here / there).toFixed(2)} × (${there.toFixed(1)} → ${here.toFixed(1)}${values.counted ? '' : ' µs'})`

const costOf = async (bench: ProfileBench, step: Step, tree: string | undefined): Promise<number> => {
  if (values.counted) return bench.events(step, tree, values.event)
  const { server, client } = await bench.cost(step, tree)
  return server + client
}

/** All steps in turn until each is decided or the time is over. Resolves with the slower ones. */
const compare = async (steps: readonly Step[], bench: ProfileBench, tree: string): Promise<readonly Step[]> => {
  const pairs = new Map<Step, Pair[]>(steps.map((step) => [step, []]))
  const verdictOf = (step: Step) => judge(pairs.get(step) as Pair[], most, values.counted ? COUNTED_PAIRS : PAIRS)
  let order = 0
  for (let open = steps; open.length > 0; open = open.filter((step) => verdictOf(step) === 'open')) {
    for (const step of open) {
      if (performance.now() > end) break
      // Which comes first changes: what the first leaves behind in caches and clocks must not favour one.
      const trees = [undefined, tree]
      if (order % 2 === 1) trees.reverse()
      order += 1
      const costs = new Map<string | undefined, number>()
      for (const at of trees) {
        costs.set(at, await costOf(bench, step, at))
      }
      const pair = { here: costs.get(undefined) as number, there: costs.get(tree) as number }
      pairs.get(step)?.push(pair)
      console.log(`${step.name.padEnd(24)} ${shown(pair)}  load ${(os.loadavg()[0] as number).toFixed(1)}`)
    }
    if (performance.now() > end) break
  }
  for (const step of steps) {
    const verdict = verdictOf(step)
    if (verdict === 'open') console.log(`${step.name}: not decided in ${values.seconds} s, so not counted`)
    if (verdict === 'slower') console.log(`${step.name}: slower in all ${pairs.get(step)?.length} pairs`)
  }
  return steps.filter((step) => verdictOf(step) === 'slower')
}

const run = async (tree: string): Promise<void> => {
  const scratch = new Scratch()
  process.once('exit', () => scratch.abandon())
  try {
    const steps = stepsNamed(values.steps.split(','))
    const slower = await compare(steps, new ProfileBench(scratch, Number(values.share)), tree)
    if (slower.length > 0) process.exitCode = 1
    else console.log(`no step costs more than ${values['fail-above']} % more`)
  } finally {
    await scratch.close()
  }
}

const withParent = async (): Promise<void> => {
  const commit = parentOf(root)
  if (commit === undefined) return console.log('skipped: no commit before this one in this checkout')
  if (!sameDependencies(root, commit)) return console.log(`skipped: ${commit.slice(0, 8)} has other dependencies`)
  const dir = path.join(mkdtempSync(path.join(os.tmpdir(), 'rystra-parent-')), 'checkout')
  try {
    checkOut(root, commit, dir)
    console.log(`against ${commit.slice(0, 8)}`)
    await run(dir)
  } finally {
    removeCheckout(root, dir)
    rmSync(path.dirname(dir), { recursive: true, force: true })
  }
}

process.once('SIGINT', () => process.exit(130)).once('SIGTERM', () => process.exit(143))
try {
  if (values.counted && !EventCount.available(values.event))
    console.log(`skipped: perf cannot count ${values.event} on this machine`)
  else if (values.against === undefined) await withParent()
  else await run(path.resolve(values.against))
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
