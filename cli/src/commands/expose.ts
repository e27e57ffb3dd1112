import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { QuickCommand, quickFlags } from '../quick.js'

export default class Expose extends QuickCommand {
  static override description = `Publishes one service at once, without a configuration.

Prints the public address first, then each connection with its bytes and duration, or, of http, each request with its status. Of http the address is a name; those under localhost need no DNS. A server that cannot be reached is tried again until Ctrl-C, and each time that is told; a wrong token or a port that is refused ends it.

With --json, events are on stdout, one object per line, as of \`connect\`.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> tcp 3000 --to tcp://tunnel.example.org:7000 --token "$TOKEN"',
    '<%= config.bin %> <%= command.id %> http 3000 --to tunnel.example.org --host app.example.org',
    '<%= config.bin %> <%= command.id %> http 3000 --to localhost --subdomain app --set bandwidth=1MB',
    '<%= config.bin %> <%= command.id %> udp 53 --to tunnel.example.org --port 5353',
    '<%= config.bin %> <%= command.id %> tcp 192.168.1.5:22 --to tunnel.example.org --port 20022',
    '<%= config.bin %> <%= command.id %> tcp unix:/run/app.sock --to tunnel.example.org --muxer direct --no-retry',
    '<%= config.bin %> <%= command.id %> private 5432 --to tunnel.example.org --name db --secret "$SECRET" --allow office'
  ]

  static override args = {
    kind: Args.string({ description: 'Kind of proxy: tcp, or that of an installed extension.', required: true }),
    service: Args.string({ description: 'The service: [host:]port, or unix:/path.', required: true })
  }

  static override flags = {
    port: Flags.integer({ min: 0, max: 65535, description: 'The public port. [default: any free one]' }),
    host: Flags.string({ description: 'http: the host it answers for; tcp and udp: the address that is bound.' }),
    subdomain: Flags.string({ description: 'http: the name below the domain of the server. [default: the name]' }),
    path: Flags.string({ description: 'http: only requests at this path and below. [default: /]' }),
    name: Flags.string({ description: 'Name of the proxy. [default: kind and port]' }),
    allow: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description: 'Identity that may visit a private proxy. [default: that of this client]',
      helpValue: '<identity>'
    }),
    secret: Flags.string({ description: 'What visitors of a private proxy have to know; also RYSTRA_SECRET.' }),
    ...quickFlags('A further field of the entry in client.proxies: bandwidth=1MB, allow=[home, office].')
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Expose)
    const { expose } = await import('../run/expose.js')
    await expose({ ...args, ...this.options(flags) })
  }
}
