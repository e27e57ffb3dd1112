import { packageRoot } from './package-root.js'
import { report } from './report.js'
import { joinTopic, notFound } from './topics.js'

/** Runs a command line. Reports what fails, and sets `process.exitCode`. */
export const execute = async (argv: readonly string[]): Promise<void> => {
  const { run } = await import('./oclif.js')
  const args = joinTopic(argv)
  try {
    // Extensions are in the configuration: there are no plugins of oclif to look for in the home folder.
    await run(args, { root: packageRoot, userPlugins: false })
  } catch (error) {
    const json = args.includes('--json')
    process.exitCode = await report((await notFound(error, args)) ?? error, {
      format: json ? 'json' : 'text',
      debug: args.includes('--debug') || process.env['DEBUG'] !== undefined
    })
  }
}
