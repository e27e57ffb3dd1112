import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand, socketFlag, watchFlag } from '../command.js'

export default class Serve extends RystraCommand {
  static override streams = true
  static override side = 'server' as const

  static override description = `Runs the server.

Uses the configuration in this folder, or --config. Without a configuration it starts over TLS with a new token and certificate, keeps both in ~/.local/state/rystra (or RYSTRA_STATE), and prints a join string: address, fingerprint of the certificate and token in one word, for --join at the client. Clients may then publish on any port from 1024 up; web services share one port, by host name. When the server listens on all addresses, the join string has an address of this machine that is probably reachable.

With --json, events are on stdout, one object per line: first "listening" (one for each address), then, without a configuration, "join" with the join string and the arguments that \`expose\` needs, and "web" with the port of web visitors; then "connected", "disconnected", "published", "unpublished", "refused", "streamOpen", "streamClose", "reloaded", "reloadFailed", "stopping", "stopped", and "lost" with the number of lines that could not be written. The log is on stderr. The command stops when the reader of the events closes the pipe.

Ctrl-C or SIGTERM stops the server after open connections have finished; a second one stops it at once. SIGHUP reloads the configuration.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --port 7001 --token "$TOKEN"',
    '<%= config.bin %> <%= command.id %> --transport tcp',
    '<%= config.bin %> <%= command.id %> --once --public-host tunnel.example.org',
    '<%= config.bin %> <%= command.id %> --http-port 80 --domain tunnel.example.org',
    '<%= config.bin %> <%= command.id %> --config /etc/rystra/rystra.config.yaml',
    '<%= config.bin %> <%= command.id %> --members 4 --config /etc/rystra/rystra.config.yaml',
    '<%= config.bin %> <%= command.id %> --host 127.0.0.1 --port 0 --json'
  ]

  static override flags = {
    ...configFlag,
    ...socketFlag,
    ...watchFlag,
    resume: Flags.boolean({
      description:
        'Start with the last good configuration, kept in the state folder, when the file is broken, and say so. [default: fail]'
    }),
    members: Flags.integer({
      min: 2,
      max: 64,
      description:
        'Number of processes that serve, for machines with many cores. Member n listens on the ports of `server.listen` and of web listeners plus n - 1.'
    }),
    'reuse-port': Flags.boolean({
      dependsOn: ['members'],
      description: 'Members listen on the same ports. Needs Node 22.12 or 23.1, and Linux.'
    }),
    host: Flags.string({ description: 'Address to bind for clients. [default: 0.0.0.0, all IPv4 addresses]' }),
    port: Flags.integer({
      min: 0,
      max: 65535,
      description: 'Port to bind for clients; 0 for any free port. [default: 7000]'
    }),
    transport: Flags.string({
      description:
        'Transport that clients connect with; tcp is not encrypted. [default: tls, unless a configuration says]'
    }),
    'http-port': Flags.integer({
      min: 0,
      max: 65535,
      description:
        'Port of web visitors, without a configuration; 0 for any free one. [default: 8080, or any when that is taken]'
    }),
    domain: Flags.string({
      description: 'Domain below which web services get their hosts, without a configuration. [default: localhost]'
    }),
    token: Flags.string({
      description:
        'Token that clients present, without a configuration. [default: RYSTRA_TOKEN, or a new one that is kept]'
    }),
    once: Flags.boolean({
      description: 'Accept a single client: the token is bound to the first client that presents it, and not kept.'
    }),
    'public-host': Flags.string({
      description: 'Host in the join string, which clients dial. [default: an address of this machine]'
    })
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Serve)
    const { serve } = await import('../run/serve.js')
    await serve({ ...flags, cwd: process.cwd(), json: this.jsonEnabled(), debug: this.debugging })
  }
}
