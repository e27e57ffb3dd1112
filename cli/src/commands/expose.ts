import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { QuickCommand, quickFlags } from '../quick.js'

export default class Expose extends QuickCommand {
  static override description = `Publishes one service, without a configuration.

Prints the public address first, then each connection with its bytes and duration; for http, each request with its status. The address of an http proxy has a host name; names under localhost need no DNS. An unreachable server is dialed again until Ctrl-C, with a message each time; the command fails for a wrong token or a refused port.

With --json, events are on stdout, one object per line, as for \`connect\`.`

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
    kind: Args.string({
      description: 'Kind of proxy: http, tcp, udp, private, or a kind of an installed extension.',
      required: true
    }),
    service: Args.string({ description: 'Address of the service: [host:]port, or unix:/path.', required: true })
  }

  static override flags = {
    port: Flags.integer({ min: 0, max: 65535, description: 'Public port at the server. [default: any free port]' }),
    host: Flags.string({
      description:
        'http: host name of the proxy; tcp and udp: address to bind at the server. [default: decided by the server]'
    }),
    subdomain: Flags.string({
      description: 'http: label below the domain of the server. [default: the name of the proxy]'
    }),
    path: Flags.string({ description: 'http: path prefix of the requests to forward. [default: /]' }),
    name: Flags.string({ description: 'Name of the proxy, unique within the client. [default: kind and port]' }),
    allow: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description: 'private: identity that may visit. May be repeated. [default: the identity of this client]',
      helpValue: '<identity>'
    }),
    inspect: Flags.boolean({
      allowNo: true,
      default: true,
      description: 'http: keep the last requests in memory, for `rystra inspect`.'
    }),
    secret: Flags.string({ description: 'private: secret that visitors must present. [default: RYSTRA_SECRET]' }),
    ...quickFlags('A further field of the entry in client.proxies: bandwidth=1MB, allow=[home, office].')
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Expose)
    const { expose } = await import('../run/expose.js')
    await expose({ ...args, ...this.options(flags) })
  }
}
