import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand } from '../command.js'
import type { Side } from '@rystra/model'

export default class Call extends RystraCommand {
  static override side: Side = 'client'
  static override description =
    `Sends a request to a program that is connected to the server, and prints the response as JSON.

The program is named by its client.id; \`server\` is the server itself. Both need the extension @rystra/rpc. A request to another client goes through the server, and must be allowed by the server's option \`relay\` and that client's option \`access\`.`

  static override examples = [
    `<%= config.bin %> <%= command.id %> home-nas disk.usage '{"path":"/"}'`,
    '<%= config.bin %> <%= command.id %> server users --to tls://tunnel.example.org:7000 --token "$TOKEN"'
  ]

  static override args = {
    program: Args.string({
      description: 'Program that handles the request: the client.id of a client, or `server`.',
      required: true
    }),
    name: Args.string({ description: 'Name of the request.', required: true }),
    data: Args.string({ description: 'Data of the request, as JSON. [default: none]' })
  }

  static override flags = {
    ...configFlag,
    to: Flags.string({
      description: 'Address of the server, instead of a configuration.',
      helpValue: '[transport://]host[:port]'
    }),
    token: Flags.string({ description: 'Token that the server accepts. [default: RYSTRA_TOKEN]' }),
    dial: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description:
        'Field of client.connect that the transport adds: fingerprint=sha256:… or ca=ca.pem. May be repeated.',
      helpValue: '<field=value>'
    }),
    identity: Flags.string({
      description: 'Identity of the called client, when several clients have its id. [default: any]'
    }),
    deadline: Flags.integer({ default: 30_000, min: 1, description: 'Time to wait for the response, in milliseconds.' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Call)
    const { call } = await import('../run/call.js')
    const { dial = [] } = flags
    const answer = await call({ ...args, ...flags, dial, cwd: process.cwd(), debug: this.debugging })
    if (!this.jsonEnabled()) this.log(JSON.stringify(answer, null, 2) ?? 'undefined')
    return answer
  }
}
