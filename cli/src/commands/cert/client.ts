import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'
import { caFlag, makeFlags } from './flags.js'

export default class CertClient extends RystraCommand {
  static override description = `Makes a certificate for a client.

The identity becomes the common name. Writes <identity>.pem and <identity>-key.pem.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> home',
    '<%= config.bin %> <%= command.id %> home --names email:me@example.org --names uri:spiffe://example.org/home',
    '<%= config.bin %> <%= command.id %> home --ca ca --out certs --days 30 --force'
  ]

  static override args = {
    identity: Args.string({ description: 'Identity of the client: 1 to 64 characters.', required: true })
  }

  static override flags = {
    ...caFlag,
    names: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description: 'Subject alternative name: email:…, uri:…, a DNS name or an IP address. May be repeated.',
      helpValue: '<name>'
    }),
    out: Flags.string({ default: '.', description: 'Folder for the files; created if absent.', helpValue: '<dir>' }),
    ...makeFlags(397, 'EC')
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CertClient)
    const { makeClient } = await import('../../certs/make.js')
    const { madeText } = await import('../../certs/text.js')
    const made = await makeClient(args.identity, flags.names ?? [], flags.ca, flags)
    this.log(`${made.cert}\n${made.key}   keep this one to yourself\n  ${madeText(made.certificate)}`)
    this.log(`
Next, in client.connect of this client:
  cert: ${made.cert}
  key: ${made.key}
and in server.listen of the server:
  clientCa: ca.pem   # a copy of that of the authority
  clientCert: required`)
    return made
  }
}
