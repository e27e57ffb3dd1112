/**
 * A process of `npm test`: runs the spec files it is told, one after the other, each with a mocha of its own. Modules that many of them
 * import are loaded once. Arguments are options of mocha.
 */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import Mocha, { type MochaOptions, type ReporterConstructor } from 'mocha'
import { cpuTime } from './cpu-time.js'
import { rememberDerivedKeys } from './derived-keys.js'
import type { Order } from './message.js'
import { END_TIMEOUT_MS, OpenHandles, openHandles } from './open-handles.js'
import { ParentReporter, send } from './reporter.js'

const require = createRequire(import.meta.url)
const { loadOptions } = require(join(dirname(require.resolve('mocha/package.json')), 'lib/cli/options.cjs')) as {
  loadOptions(argv: readonly string[]): MochaOptions
}

/** Warnings of Node that tell of a fault: a rejection handled too late, and listeners that pile up. */
const FATAL_WARNINGS = new Set(['PromiseRejectionHandledWarning', 'MaxListenersExceededWarning'])

/** Listeners of the process that one spec file may add for one event. */
const MAX_LISTENERS = 10

// Mocha needs no more of a reporter than that it can be constructed.
const reporter = ParentReporter as unknown as ReporterConstructor
const options = { ...loadOptions(process.argv.slice(2)), forbidOnly: true, reporter }

process.on('warning', ({ name, message, stack }) => {
  if (FATAL_WARNINGS.has(name)) send({ kind: 'problem', text: `${name}: ${stack ?? message}` })
})
// Mocha hands a rejection that nothing handles to the other listeners; without one the rejection would be lost.
process.on('unhandledRejection', (reason) => {
  if (process.listenerCount('unhandledRejection') === 1) throw reason
})

/** What a spec file may change of its process, for the next one to find as it was. */
const processState = (): (() => void) => {
  const { execArgv, exitCode, env } = process
  const [cwd, variables] = [process.cwd(), { ...env }]
  return () => {
    Object.assign(process, { execArgv, exitCode, env })
    process.chdir(cwd)
    for (const name of Object.keys(env)) if (!(name in variables)) delete env[name]
    Object.assign(env, variables)
  }
}

const run = async (file: string): Promise<void> => {
  const listeners = process.eventNames().map((name) => process.listenerCount(name))
  process.setMaxListeners(Math.max(0, ...listeners) + MAX_LISTENERS)
  const handles = new OpenHandles()
  const restore = processState()
  const cpuBefore = cpuTime()
  const done = (): void => send({ kind: 'done', cpu: cpuTime() - cpuBefore })
  const mocha = new Mocha(options)
  mocha.addFile(file)
  try {
    await mocha.loadFilesAsync()
  } catch (error) {
    send({ kind: 'problem', text: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    return done()
  }
  await new Promise((resolve) => mocha.run(resolve))
  mocha.dispose()
  restore()
  const left = await handles.left()
  if (left === undefined) return done()
  // The next file begins in a new process.
  send({ kind: 'problem', text: `left open after the last test: ${left}` }, () => process.exit(1))
}

process.on('message', (order: Order) => {
  if (order.kind === 'run') void run(order.file)
  else {
    process.channel?.unref()
    setTimeout(() => {
      send({ kind: 'problem', text: `does not end after the last file: ${openHandles()}` }, () => process.exit(1))
    }, END_TIMEOUT_MS).unref()
  }
})
rememberDerivedKeys()
send({ kind: 'ready' })
