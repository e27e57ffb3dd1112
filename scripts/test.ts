/**
 * `npm test`: every spec file, in two processes for each processor, since many tests wait more than they compute. Arguments are spec
 * files, folders or options of mocha: `npm test -- framework/bytes`, `npm test -- --grep yamux`. RYSTRA_TEST_JOBS sets the number of
 * processes.
 */
import { availableParallelism } from 'node:os'
import { cpuTime } from './test/cpu-time.js'
import { Report } from './test/report.js'
import { readArguments } from './test/specs.js'
import { TestProcess } from './test/test-process.js'
import { readTimes, SpecQueue, writeTimes } from './test/times.js'

// `npm test` has built everything: processes that tests start need not compile it again.
process.env['RYSTRA_TEST_BUILT'] ??= '1'

const { files, options, whole } = readArguments(process.argv.slice(2))
const times = readTimes()
const report = new Report(files.length)
const queue = new SpecQueue(files, times)
const abort = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort())

/** Runs one file after the other in a process until none is left. */
const work = async (): Promise<void> => {
  const tests = new TestProcess(options, abort.signal)
  for (let file = queue.next(); file !== undefined && !abort.signal.aborted; file = queue.next(file)) {
    const result = await tests.run(file, (test) => report.add(test))
    times[file] = Math.round(result.ms)
    report.file(file, result)
  }
  report.rest(await tests.end())
}

const jobs = Number(process.env['RYSTRA_TEST_JOBS'] ?? availableParallelism() * 2)
await Promise.all(Array.from({ length: Math.min(jobs, files.length) }, work))
writeTimes(times)
if (whole && !abort.signal.aborted) report.complete()
const failed = report.end()
console.log(`${Math.round(performance.now() / 1000)} s, ${Math.round(cpuTime() / 1000)} s of CPU`)
process.exitCode = failed === 0 ? 0 : 1
