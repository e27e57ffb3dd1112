/** `npm run bench`: see README.md beside this file. */
import { Bench } from './bench.js'
import { goals } from './goals.js'
import { type BenchOptions, parseOptions } from './options.js'
import { readmeTable } from './readme-table.js'
import { Scratch } from './scratch.js'
import { table } from './table.js'

const run = async (options: BenchOptions): Promise<void> => {
  const scratch = new Scratch()
  const stop = new AbortController()
  const interrupt = (): void => {
    stop.abort(new Error('interrupted'))
    scratch.abandon()
  }
  // Not once: a second signal must not end us while we clean up.
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  process.once('exit', () => scratch.abandon())
  try {
    const bench = new Bench(options, scratch, (text) => console.error(`· ${text}`))
    const report = await bench.run(stop.signal)
    const aims = goals(report)
    const text = options.suite === 'readme' ? readmeTable(report) : table(report, aims)
    if (options.json) {
      console.error(`\n${text}`)
      console.log(JSON.stringify({ ...report, aims }))
    } else console.log(`\n${text}`)
    if (typeof report.registry === 'string' || report.routes.some((route) => route.failures.length > 0))
      process.exitCode = 1
  } finally {
    await scratch.close()
  }
}

/** RPC is measured apart: its peers are libraries and no tunnels. See calls/. */
const ofCalls = process.argv.some(
  (word, index) => word === '--measure=calls' || (word === 'calls' && process.argv[index - 1] === '--measure')
)

try {
  const options = ofCalls ? undefined : parseOptions(process.argv.slice(2))
  if (ofCalls) await import(new URL('./calls/index.mjs', import.meta.url).href)
  if (options !== undefined) await run(options)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
