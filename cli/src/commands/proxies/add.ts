import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../../admin/admin-command.js'
import { adminFlags } from '../../admin/flags.js'

export default class ProxiesAdd extends AdminCommand {
  static override description = `Publishes a proxy on a running process, without a change of its configuration.

On a client it is one proxy more. On a server --client names the client that is to have it: the client decides by \`client.accept\` of its configuration, which accepts nothing by default.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> http 3000 --name web --set subdomain=app',
    '<%= config.bin %> <%= command.id %> tcp 127.0.0.1:5432 --client office --port 15432 --persist'
  ]

  static override args = {
    kind: Args.string({
      description: 'Kind of proxy: tcp, http, udp, or that of an installed extension.',
      required: true
    }),
    service: Args.string({
      description: 'The service, as the client reaches it: [host:]port, or unix:/path.',
      required: true
    })
  }

  static override flags = {
    ...adminFlags,
    name: Flags.string({ description: 'Name of the proxy. [default: kind and port]' }),
    client: Flags.string({ description: 'On a server: id of the client, or of its session, that is to have it.' }),
    port: Flags.integer({ min: 0, max: 65535, description: 'The public port. [default: any free one]' }),
    set: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description: 'A further field of the proxy: bandwidth=1MB, allow=[home, office].',
      helpValue: '<field=value>'
    }),
    persist: Flags.boolean({ default: false, description: 'Keep it over reconnects and restarts.' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ProxiesAdd)
    const { fieldPairs } = await import('../../run/fields.js')
    const fields = fieldPairs(flags.set ?? [], '--set', 'proxy', ['name', 'kind', 'local', 'port'])
    const { kind, service } = args
    const name = flags.name ?? `${kind}-${service.replace(/^.*[:/]/, '')}`
    const spec = { ...fields, name, kind, local: service, ...(flags.port === undefined ? {} : { port: flags.port }) }
    const api = await this.api(flags)
    const body = {
      spec,
      ...(flags.client === undefined ? {} : { session: flags.client }),
      persist: flags.persist
    }
    const proxy = await api.request<{ name: string; state: string; address?: string; id: string }>('/v1/proxies', {
      method: 'POST',
      body
    })
    this.log(
      proxy.address === undefined
        ? `${proxy.name} is ${proxy.state}.`
        : `${proxy.name} is published on ${proxy.address}.`
    )
    return proxy
  }
}
