import { execute } from '../src/execute.js'
import { cleanEnv, type Outcome, type SpawnOptions } from './command.js'

/** Keeps what is written to a stream, instead of writing it, until it is given back. */
const capture = (stream: NodeJS.WriteStream): (() => string) => {
  const { write } = stream
  let text = ''
  stream.write = (chunk: string | Uint8Array, ...rest: unknown[]) => {
    text += String(chunk)
    const written = rest.at(-1)
    if (typeof written === 'function') written()
    return true
  }
  return () => {
    stream.write = write
    return text
  }
}

const runNow = async (args: readonly string[], { cwd, env }: SpawnOptions): Promise<Outcome> => {
  const outer = { cwd: process.cwd(), env: process.env, exitCode: process.exitCode }
  process.chdir(cwd)
  process.env = cleanEnv(env)
  process.exitCode = 0
  const [out, err] = [capture(process.stdout), capture(process.stderr)]
  let text: Pick<Outcome, 'out' | 'err'> | undefined
  try {
    await execute(args)
  } finally {
    text = { out: out(), err: err() }
    process.chdir(outer.cwd)
    process.env = outer.env
  }
  const code = Number(process.exitCode)
  process.exitCode = outer.exitCode
  return { code, ...text }
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
