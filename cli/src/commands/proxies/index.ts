import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../../admin/admin-command.js'
import { adminFlags } from '../../admin/flags.js'

export default class Proxies extends AdminCommand {
  static override description = 'Lists the proxies of a running process.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --kind http --client office --json'
  ]

  static override flags = {
    ...adminFlags,
    client: Flags.string({ description: 'Only proxies of this client.' }),
    kind: Flags.string({ description: 'Only proxies of this kind.' }),
    state: Flags.string({
      options: ['publishing', 'published', 'waiting', 'refused', 'idle'],
      description: 'Only proxies in this state.'
    }),
    search: Flags.string({ description: 'Only proxies with this text in name, address, client or identity.' })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Proxies)
    const api = await this.api(flags, { prefer: 'server' })
    const { proxyTable } = await import('../../admin/tables.js')
    const { client, kind, state, search: q } = flags
    const items = await api.list<Parameters<typeof proxyTable>[0][number]>('/v1/proxies', { client, kind, state, q })
    this.log(items.length === 0 ? 'No proxies.' : proxyTable(items))
    return { items, total: items.length }
  }
}
