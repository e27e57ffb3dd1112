import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand } from '../../command.js'

export default class PluginsRemove extends RystraCommand {
  static override description = `Removes an extension from the configuration, and uninstalls its package.

The other extensions are set up without it first; if one of them requires it, nothing is changed. Comments in the file stay. For configurations in TOML or code the lines to remove are printed.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> @rystra/transport-tls',
    '<%= config.bin %> <%= command.id %> ./hooks/office-hours.ts',
    '<%= config.bin %> <%= command.id %> office-hours --dry-run'
  ]

  static override args = {
    extension: Args.string({ description: 'Package, path or name of the extension.', required: true })
  }

  static override flags = {
    ...configFlag,
    'dry-run': Flags.boolean({ description: 'Remove and check it, then undo all changes.' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(PluginsRemove)
    const { removeExtension } = await import('../../plugins/remove.js')
    const removed = await removeExtension({
      what: args.extension,
      cwd: process.cwd(),
      config: flags.config,
      dryRun: flags['dry-run'],
      onStep: (step) => this.logToStderr(`${step} …`)
    })
    const also = removed.uninstalled ? ', and uninstalled' : ''
    this.log(
      removed.dryRun
        ? `${removed.use} can be removed. Nothing was changed.`
        : `${removed.use} was removed from ${removed.config}${also}.`
    )
    return removed
  }
}
