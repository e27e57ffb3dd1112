import { configFlag, RystraCommand } from '../../command.js'

export default class PluginsList extends RystraCommand {
  static override description = `Lists the extensions that are loaded, in the order in which they are set up.

Without a configuration, those of the preset.`

  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']

  static override flags = { ...configFlag }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(PluginsList)
    const { listExtensions } = await import('../../plugins/inspect.js')
    const { table } = await import('../../table.js')
    const found = await listExtensions({ cwd: process.cwd(), config: flags.config })
    this.log(found.config === undefined ? 'no configuration here: the preset' : found.config)
    this.log(
      table(
        ['name', 'version', 'from', 'package or path'],
        found.extensions.map(({ name, version = '-', from, use }) => [name, version, from, use])
      )
    )
    return found
  }
}
