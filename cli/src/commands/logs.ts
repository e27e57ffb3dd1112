import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Logs extends AdminCommand {
  static override streams = true

  static override description = `Follows what happens in a running process: sessions, proxies, refusals, reloads.

A connection that is lost is made again, and goes on after the last event. With --json, events are on stdout, one object per line, with \`type\`, \`sequence\` and \`time\`; "reset" says that events are missing before it; with \`--type reset\` it also says that the connection is up. Ctrl-C ends it.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --streams --type refused --type stream.closed',
    '<%= config.bin %> <%= command.id %> --json | jq .type'
  ]

  static override flags = {
    ...adminFlags,
    streams: Flags.boolean({ default: false, description: 'Opened and closed streams, too.' }),
    type: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description: 'Only events of this type: session.opened, refused, …',
      helpValue: '<type>'
    })
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Logs)
    const api = await this.api(flags, { prefer: 'server' })
    const { follow } = await import('../admin/logs.js')
    await follow(api, { streams: flags.streams, types: flags.type, json: this.jsonEnabled() })
  }
}
