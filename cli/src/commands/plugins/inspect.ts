import * as Args from '@oclif/core/args'
import { configFlag, RystraCommand } from '../../command.js'

export default class PluginsInspect extends RystraCommand {
  static override description =
    `Shows the taps of each hook in their order, what each extension registers, and every option with its default.

All extensions are set up, and none is started. Secrets are left out.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> auth-token',
    '<%= config.bin %> <%= command.id %> @rystra/mux-yamux --json'
  ]

  static override args = {
    extension: Args.string({ description: 'Name, package or path of an extension. [default: all]' })
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
