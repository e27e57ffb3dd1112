import * as Args from '@oclif/core/args'
import { configFlag, RystraCommand } from '../../command.js'

export default class PluginsInspect extends RystraCommand {
  static override description =
    `Shows who taps what in which order, who registers what, and every option with its default.

Everything is set up for that, and nothing is started. Secrets are left out.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> auth-token',
    '<%= config.bin %> <%= command.id %> @rystra/mux-yamux --json'
  ]

  static override args = {
    extension: Args.string({ description: 'One of them: its name, package or path. All, when left out.' })
  }

  static override flags = { ...configFlag }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(PluginsInspect)
    const { inspectExtensions } = await import('../../plugins/inspect.js')
    const { inspectionText } = await import('../../plugins/inspection-text.js')
    const found = await inspectExtensions({ cwd: process.cwd(), config: flags.config }, args.extension)
    this.log(inspectionText(found))
    return found
  }
}
