import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { QuickCommand, quickFlags } from '../quick.js'

export default class Visit extends QuickCommand {
  static override description =
    `Opens a port of this machine to a private service of another client, without a configuration.

Prints the port first, then each connection with its bytes and duration. A wrong secret and a name that is not published reset the connection; the port stays open. A port that is taken ends it.

With --json, events are on stdout, one object per line, as of \`connect\`.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> db --bind 127.0.0.1:3306 --to tunnel.example.org --secret "$SECRET"',
    '<%= config.bin %> <%= command.id %> dns --bind 5353 --set protocol=udp --to tls://tunnel.example.org:7000'
  ]

  static override args = {
    name: Args.string({ description: 'The name under which the service is visited.', required: true })
  }

  static override flags = {
    bind: Flags.string({
      default: '127.0.0.1:0',
      description: 'Where programs of this machine connect to; port 0 is any free one.',
      helpValue: '[host:]port'
    }),
    secret: Flags.string({ description: 'The secret of the service; also RYSTRA_SECRET.' }),
    ...quickFlags('A further field of the entry in client.forwards: protocol=udp, from=home.')
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Visit)
    const { visit } = await import('../run/visit.js')
    await visit({ ...args, ...this.options(flags) })
  }
}
