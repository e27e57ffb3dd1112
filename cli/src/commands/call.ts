import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand } from '../command.js'
import type { Side } from '@rystra/model'

export default class Call extends RystraCommand {
  static override side: Side = 'client'
  static override description = `Asks a program that is connected to the server, and prints its answer as JSON.

The program is named by its client.id; \`server\` is the server itself. Both need the extension @rystra/rpc. A call of another client goes through the server, whose option \`relay\` has to allow it, and the client's option \`access\` too.`

  static override examples = [
    `<%= config.bin %> <%= command.id %> home-nas disk.usage '{"path":"/"}'`,
    '<%= config.bin %> <%= command.id %> server users --to tls://tunnel.example.org:7000 --token "$TOKEN"'
  ]

  static override args = {
    program: Args.string({ description: 'The client.id of a client, or `server`.', required: true }),
    name: Args.string({ description: 'Name of the request.', required: true }),
    data: Args.string({ description: 'What is sent, as JSON. [default: nothing]' })
  }

  static override flags = {
    ...configFlag,
    to: Flags.string({
      description: 'The server, in place of a configuration.',
      helpValue: '[transport://]host[:port]'
    }),
    token: Flags.string({ description: 'The token of the server; also RYSTRA_TOKEN.' }),
    dial: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description: 'A field that the transport adds to client.connect: fingerprint=sha256:…, ca=ca.pem.',
      helpValue: '<field=value>'
    }),
    identity: Flags.string({
      description: 'Identity of the called client, when several clients have its id. [default: any]'
    }),
    deadline: Flags.integer({ default: 30_000, min: 1, description: 'Milliseconds the answer may take.' })
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
