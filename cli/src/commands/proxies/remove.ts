import * as Args from '@oclif/core/args'
import { AdminCommand } from '../../admin/admin-command.js'
import { adminFlags } from '../../admin/flags.js'

export default class ProxiesRemove extends AdminCommand {
  static override description = `Takes a proxy of a running process back; its open streams go on.

One that was added with \`proxies:add\` is forgotten. One of a configuration comes back with the next session of its client, or the next reload.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> web',
    '<%= config.bin %> <%= command.id %> 3f2a9c.web --json'
  ]

  static override args = {
    proxy: Args.string({ description: 'Name or id of the proxy.', required: true })
  }

  static override flags = { ...adminFlags }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ProxiesRemove)
    const api = await this.api(flags)
    const { theProxy } = await import('../../admin/lookup.js')
    const { id, name } = await theProxy(api, args.proxy)
    await api.request(`/v1/proxies/${encodeURIComponent(id)}`, { method: 'DELETE' })
    this.log(`${name} was taken back.`)
    return { id, name }
  }
}
