import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../command.js'

export default class Visit extends RystraCommand {
  static override streams = true
  static override side = 'client' as const

  static override description =
    `Opens a port of this machine to a private service of another client, without a configuration.

Prints the port first, then each connection with its bytes and duration. A wrong secret and a name that nobody has reset the connection; the port stays open. A port that is taken ends it.

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
    to: Flags.string({ required: true, description: 'The server.', helpValue: '[transport://]host[:port]' }),
    token: Flags.string({ description: 'The token of the server; also RYSTRA_TOKEN.' }),
    secret: Flags.string({ description: 'The secret of the service; also RYSTRA_SECRET.' }),
    set: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description: 'A further field of the entry in client.visitors: protocol=udp, from=home.',
      helpValue: '<field=value>'
    }),
    muxer: Flags.string({
      description:
        'How streams share the way: yamux, one connection; direct, one each, for the highest throughput. [default: yamux]'
    }),
    dial: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description: 'A field that the transport adds to client.connect: fingerprint=sha256:…, ca=ca.pem.',
      helpValue: '<field=value>'
    }),
    retry: Flags.boolean({ allowNo: true, default: true, description: 'Dial again when the server cannot be reached.' })
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Visit)
    const { visit } = await import('../run/visit.js')
    await visit({
      ...flags,
      ...args,
      dial: flags.dial ?? [],
      set: flags.set ?? [],
      cwd: process.cwd(),
      json: this.jsonEnabled(),
      debug: this.debugging
    })
  }
}
