import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Reload extends AdminCommand {
  static override description = `Makes a running process read its configuration again.

It is checked as a whole first: on any error everything stays as it was, and the error says where it is. What did not change keeps its listeners, sessions and streams.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --if-revision 5f0c2e --json'
  ]

  static override flags = {
    ...adminFlags,
    'if-revision': Flags.string({
      description: 'Only when this is the revision in force, as `status` shows it.',
      helpValue: '<revision>'
    })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Reload)
    const api = await this.api(flags)
    const { reload, reloadText } = await import('../admin/reload.js')
    const report = await reload(api, flags['if-revision'])
    this.log(reloadText(report))
    return report
  }
}
