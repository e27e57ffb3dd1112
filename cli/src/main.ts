import { execute } from './execute.js'
import { flushed } from './line-output.js'
import { report } from './report.js'
import { exit, startedOnTerminal } from './terminal.js'

/** Runs the command line, and ends the process: what an extension left running does not keep it up. */
export const main = async (argv: readonly string[]): Promise<void> => {
  await import('@oclif/core/command')
  // oclif throws what is no EPIPE, out of an event handler.
  process.stdout.removeAllListeners('error')
  let failure: NodeJS.ErrnoException | undefined
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that goes (`rystra check --schema | head -1`) has read what it wanted; a terminal that goes shows EIO.
    const gone = error.code === 'EPIPE' || (error.code === 'EIO' && startedOnTerminal)
    if (!gone) failure ??= error
  })
  await execute(argv)
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  // A command that has failed has said why.
  if (failure !== undefined && (process.exitCode ?? 0) === 0)
    process.exitCode = await report(failure, { format: 'text', debug: false })
  exit()
}
