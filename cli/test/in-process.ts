import { Writable } from 'node:stream'
import { execute } from '../src/execute.js'
import { cleanEnv, type Outcome, type SpawnOptions } from './command.js'

/** Stands in for a stream of the process, and keeps what is written to it. */
class Capture extends Writable {
  text = ''

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += String(chunk)
    done()
  }
}

/** What a command that serves changes in its process, and leaves to its end. */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** The streams of the console, which keeps those it has first seen: read here, they are those of the process. */
const { _stdout, _stderr } = console as unknown as Record<'_stdout' | '_stderr', Writable>
const consoles = { stdout: _stdout, stderr: _stderr }

/** Puts another stream in the place of one of the process; what is written to the console goes there, too. */
const replaced = (name: 'stdout' | 'stderr', value: Writable): (() => void) => {
  const stream = consoles[name]
  const { write } = stream
  const outer = Object.getOwnPropertyDescriptor(process, name) as PropertyDescriptor
  stream.write = value.write.bind(value) as typeof write
  Object.defineProperty(process, name, { value, configurable: true })
  return () => {
    Object.defineProperty(process, name, outer)
    stream.write = write
  }
}

const runNow = async (args: readonly string[], { cwd, env }: SpawnOptions): Promise<Outcome> => {
  const outer = { cwd: process.cwd(), env: process.env, exitCode: process.exitCode }
  const listeners = signals.map((signal) => process.listeners(signal))
  const [out, err] = [new Capture(), new Capture()]
  const restore = [replaced('stdout', out), replaced('stderr', err)]
  process.chdir(cwd)
  process.env = cleanEnv(env)
  process.exitCode = 0
  try {
    await execute(args)
    return { code: Number(process.exitCode), out: out.text, err: err.text }
  } finally {
    process.chdir(outer.cwd)
    process.env = outer.env
    process.exitCode = outer.exitCode
    for (const back of restore) back()
    for (const [index, signal] of signals.entries())
      for (const listener of process.listeners(signal))
        if (listeners[index]?.includes(listener) !== true) process.off(signal, listener)
  }
}

let last: Promise<unknown> = Promise.resolve()

/**
 * Runs a command that ends by itself in this process, as `rystra` of command.ts does in one of its own: a start takes a second of the
 * processor. One after the other: folder, environment and output are of the process.
 */
export const rystraHere = (args: readonly string[], options: SpawnOptions): Promise<Outcome> => {
  const outcome = last.then(() => runNow(args, options))
  last = outcome.catch(() => {})
  return outcome
}
