/**
 * `npm test`: every spec file, in two processes for each processor, since many tests wait more than they compute. Arguments are spec
 * files, folders or options of mocha: `npm test -- framework/bytes`, `npm test -- --grep yamux`. RYSTRA_TEST_JOBS sets the number of
 * processes.
 */
import { availableParallelism } from 'node:os'
import { runBatch } from './test/batch.js'
import { Report } from './test/report.js'
import { readArguments } from './test/specs.js'
import { batches, readTimes, writeTimes } from './test/times.js'

// `npm test` has built everything: processes that tests start need not compile it again.
process.env['RYSTRA_TEST_BUILT'] ??= '1'

const { files, options, whole } = readArguments(process.argv.slice(2))
const times = readTimes()
const report = new Report(files.length)
const queue = batches(files, times)
const abort = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort())

/** Runs one batch after the other until none is left. */
const work = async (): Promise<void> => {
  for (let batch = queue.shift(); batch !== undefined && !abort.signal.aborted; batch = queue.shift()) {
    // Tests of a file come in a row: a file is done when the next one begins.
    let file: string | undefined
    let begin = 0
    let last = 0
    const done = (): void => {
      if (file === undefined) return
      times[file] = Math.round(last - begin)
      report.file(file, last - begin)
    }
    const result = await runBatch(
      batch,
      options,
      (test) => {
        if (test.file !== file) {
          done()
          file = test.file
          begin = last
        }
        last = test.at
        report.add(test)
      },
      abort.signal
    )
    done()
    report.batch(batch, result)
  }
}

const jobs = Number(process.env['RYSTRA_TEST_JOBS'] ?? availableParallelism() * 2)
await Promise.all(Array.from({ length: jobs }, work))
writeTimes(times)
if (whole) report.complete()
process.exitCode = report.end() === 0 ? 0 : 1
