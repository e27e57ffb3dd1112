import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand } from '../command.js'

export default class Serve extends RystraCommand {
  static override streams = true
  static override side = 'server' as const

  static override description = `Runs the server, where the public can reach it.

With a configuration in this folder (or --config) it runs that. Without one it runs at once, over TLS: it makes a token and a certificate, keeps both in ~/.local/state/rystra (or RYSTRA_STATE), and prints a join string: one word with its address, the fingerprint of the certificate and the token, which the other side gives as --join. Visitors' ports may be any from 1024 up, and web visitors come in on one port for all services, by the name of each. When it listens on all addresses, the join string has the best guess of this machine's address.

With --json, events are on stdout, one object per line: first "listening" (one for each address), then, without a configuration, "join" with the join string and the arguments that \`expose\` needs, and "web" with the port of web visitors; then "connected", "disconnected", "published", "unpublished", "refused", "streamOpen", "streamClose", "reloaded", "reloadFailed", "stopping", "stopped", and "lost" with the number of lines that could not be written. The log is on stderr. It stops when the reader of the events has gone.

Ctrl-C stops it in good order: open connections may finish. A second one ends it at once. SIGHUP reads the configuration again.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --port 7001 --token "$TOKEN"',
    '<%= config.bin %> <%= command.id %> --transport tcp',
    '<%= config.bin %> <%= command.id %> --once --public-host tunnel.example.org',
    '<%= config.bin %> <%= command.id %> --http-port 80 --domain tunnel.example.org',
    '<%= config.bin %> <%= command.id %> --config /etc/rystra/rystra.config.yaml',
    '<%= config.bin %> <%= command.id %> --host 127.0.0.1 --port 0 --json'
  ]

  static override flags = {
    ...configFlag,
    host: Flags.string({ description: 'Address to listen on. [default: 0.0.0.0]' }),
    port: Flags.integer({ min: 0, max: 65535, description: 'Port to listen on; 0 for any free one. [default: 7000]' }),
    transport: Flags.string({
      description: 'Transport to listen with; tcp is not encrypted. [default: tls without a configuration]'
    }),
    'http-port': Flags.integer({
      min: 0,
      max: 65535,
      description:
        'Port of web visitors, without a configuration; 0 for any free one. [default: 8080, or any when that is taken]'
    }),
    domain: Flags.string({
      description: 'What names of web services end with, without a configuration. [default: localhost]'
    }),
    token: Flags.string({
      description: 'Token of clients, without a configuration; also RYSTRA_TOKEN. [default: a new one, kept]'
    }),
    once: Flags.boolean({
      description: 'A token for one client, which is not kept: the first client that presents it.'
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
