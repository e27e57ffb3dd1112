import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Why extends AdminCommand {
  static override description = `Shows why a visitor of a URL or a port is served, or is not.

Follows the way of a visitor: name, listener, host and path, proxy, client, extensions that check visitors, and service; and tells what refuses it and what to do. On a server it knows all proxies, on a client its own. Opens one connection to the service, unless --no-probe. Exits 6 when a visitor does not get through.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> https://app.example.org/api',
    '<%= config.bin %> <%= command.id %> tunnel.example.org:20022 --from 203.0.113.9',
    '<%= config.bin %> <%= command.id %> http://app.localhost:8080 --json'
  ]

  static override args = {
    target: Args.string({ required: true, description: 'https://host/path, or host:port.' })
  }

  static override flags = {
    ...adminFlags,
    from: Flags.string({
      description: 'Address of the visitor: what would extensions answer? [default: they are listed, and not asked]',
      helpValue: '<address>'
    }),
    probe: Flags.boolean({ allowNo: true, default: true, description: 'Open a connection to the service.' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Why)
    const api = await this.api(flags, { prefer: 'server' })
    const { why, whyText } = await import('../admin/why.js')
    const result = await why(api, args.target, flags)
    this.log(whyText(result))
    if (!result.reaches) process.exitCode = 6
    return result
  }
}
