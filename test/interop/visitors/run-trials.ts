import os from 'node:os'
import { Scratch } from '../../bench/scratch.js'
import { Report, type Trial } from './trial.js'

/** What the figures depend on: who else is at work on this machine, above all. */
const machine = (): string =>
  `${os.availableParallelism()} cores, load ${os
    .loadavg()
    .map((one) => one.toFixed(1))
    .join(' ')}`

/** Runs the trials that the command line names, or all, and prints their table. The answer is the exit code. */
export const runTrials = async (trials: readonly Trial[]): Promise<number> => {
  const only = process.argv.slice(2)
  const begin = machine()
  console.log(`Node ${process.version}, ${begin}`)
  const report = new Report()
  for (const trial of trials.filter(({ name }) => only.length === 0 || only.some((word) => name.includes(word)))) {
    report.begin(trial.name)
    if (!report.has('all of it', ...trial.programs)) continue
    const scratch = new Scratch()
    try {
      await trial.use(scratch, report)
    } catch (error) {
      await report.check('its start', () => Promise.reject(error as Error))
    } finally {
      await scratch.close()
    }
  }
  console.log(`\n${report.table()}\n\nNode ${process.version}; at the beginning ${begin}; at the end ${machine()}`)
  return report.failed ? 1 : 0
}
