import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Upgrade extends AdminCommand {
  static override description = `Replaces a running server by a new process, without refusing a connection.

The new process has the same command line, the code and the configuration that are there now, and the listening sockets of the old one. When it is ready, the old one drains and ends. When it does not start, the old one serves on, and the error says why. Members of \`serve --members\` are replaced one after the other; the process that starts them goes on.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --timeout 2m --json'
  ]

  static override flags = {
    ...adminFlags,
    timeout: Flags.string({
      description: 'Time that the new process has to start: 30s, 5m. [default: 60s]',
      helpValue: '<duration>'
    })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Upgrade)
    const { durationOf, durationPattern } = await import('@rystra/limits')
    if (flags.timeout !== undefined && !new RegExp(durationPattern).test(flags.timeout))
      this.error(`--timeout: expected a duration such as 30s, got ${JSON.stringify(flags.timeout)}`, { exit: 2 })
    const api = await this.api(flags, { prefer: 'server' })
    const { upgrade, upgradeText } = await import('../admin/upgrade.js')
    const report = await upgrade(api, flags.timeout === undefined ? undefined : durationOf(flags.timeout))
    this.log(upgradeText(report))
    return report
  }
}
