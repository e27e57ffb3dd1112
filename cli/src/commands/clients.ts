import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Clients extends AdminCommand {
  static override description =
    `Lists the sessions of a running process: the clients of a server, the server of a client.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --identity office --json'
  ]

  static override flags = {
    ...adminFlags,
    identity: Flags.string({ description: 'Only sessions of this identity.' }),
    search: Flags.string({ description: 'Only sessions with this text in id, client, identity or address.' })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Clients)
    const api = await this.api(flags, { prefer: 'server' })
    const { sessionTable } = await import('../admin/tables.js')
    const items = await api.list<Parameters<typeof sessionTable>[0][number]>('/v1/sessions', {
      identity: flags.identity,
      q: flags.search
    })
    this.log(items.length === 0 ? 'No sessions.' : sessionTable(items))
    return { items, total: items.length }
  }
}
