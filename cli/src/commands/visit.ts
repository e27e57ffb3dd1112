import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { QuickCommand, quickFlags } from '../quick.js'

export default class Visit extends QuickCommand {
  static override description =
    `Opens a port of this machine to a private service of another client, without a configuration.

Prints the port first, then each connection with its bytes and duration. A connection is reset when the secret is wrong or the name is not published; the port stays open. The command fails when the port is in use.

With --json, events are on stdout, one object per line, as for \`connect\`.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> db --bind 127.0.0.1:3306 --to tunnel.example.org --secret "$SECRET"',
    '<%= config.bin %> <%= command.id %> dns --bind 5353 --set protocol=udp --to tls://tunnel.example.org:7000'
  ]

  static override args = {
    name: Args.string({ description: 'Name of the private proxy.', required: true })
  }

  static override flags = {
    bind: Flags.string({
      default: '127.0.0.1:0',
      description: 'Local address that programs of this machine connect to; port 0 for any free port.',
      helpValue: '[host:]port'
    }),
    secret: Flags.string({ description: 'Secret of the private proxy. [default: RYSTRA_SECRET]' }),
    ...quickFlags('A further field of the entry in client.forwards: protocol=udp, from=home.')
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Visit)
    const { visit } = await import('../run/visit.js')
    await visit({ ...args, ...this.options(flags) })
  }
}
