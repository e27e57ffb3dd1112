import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Top extends AdminCommand {
  static override description =
    `Shows live what a running process carries: totals, and streams, proxies or clients by rate.

On a terminal it redraws each second; keys are shown at the bottom. Without a terminal, and with --json, it writes one picture and ends.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --view proxies --interval 2',
    '<%= config.bin %> <%= command.id %> --json'
  ]

  static override flags = {
    ...adminFlags,
    view: Flags.string({
      options: ['clients', 'proxies', 'streams'],
      default: 'proxies',
      description: 'What is listed first.'
    }),
    interval: Flags.integer({ min: 1, max: 60, default: 1, description: 'Seconds between two pictures.' })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Top)
    const api = await this.api(flags, { prefer: 'server' })
    const { top, pictureOf } = await import('../admin/top.js')
    const view = flags.view as 'clients' | 'proxies' | 'streams'
    if (this.jsonEnabled()) return pictureOf(api, view)
    await top(api, { view, interval: flags.interval * 1000 })
    return undefined
  }
}
