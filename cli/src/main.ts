import { fileURLToPath } from 'node:url'
import { report } from './report.js'
import { joinTopic, notFound } from './topics.js'

/** The folder of this package, in a checkout and where it is installed. */
export const packageRoot = fileURLToPath(new URL('..', import.meta.url))

const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => stream.write('', () => resolve()))

/** Runs the command line, and ends the process: what an extension left running does not keep it up. */
export const main = async (argv: readonly string[]): Promise<void> => {
  // A reader that went away (`rystra serve --json | head -1`) is no reason to stop serving.
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
    })
  }
  const args = joinTopic(argv)
  const { run } = await import('@oclif/core/run')
  try {
    await run(args, { root: packageRoot })
  } catch (error) {
    const json = args.includes('--json')
    process.exitCode = report(notFound(error, args) ?? error, {
      format: json ? 'json' : 'text',
      debug: args.includes('--debug') || process.env['DEBUG'] !== undefined
    })
  }
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  process.exit()
}
