import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'
import { caFlag, makeFlags } from './flags.js'

export default class CertServer extends RystraCommand {
  static override description = `Makes a certificate for a server.

Name everything that clients dial: DNS names, *.example.org, IP addresses; no other name is added. Writes server.pem, with the certificate of the authority appended, and server-key.pem.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> tunnel.example.org 203.0.113.7',
    '<%= config.bin %> <%= command.id %> localhost 127.0.0.1 ::1 --ca ca --out certs --days 90',
    '<%= config.bin %> <%= command.id %> tunnel.example.org --force'
  ]

  static override args = {
    name: Args.string({ description: 'DNS names and IP addresses of the server.', required: true, multiple: true })
  }

  static override flags = {
    ...caFlag,
    out: Flags.string({ default: '.', description: 'Folder for the files; created if absent.', helpValue: '<dir>' }),
    ...makeFlags(397, 'EC')
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CertServer)
    const { makeServer } = await import('../../certs/make.js')
    const { madeText } = await import('../../certs/text.js')
    const made = await makeServer(args.name, flags.ca, flags)
    this.log(`${made.cert}\n${made.key}   keep this one to yourself\n  ${madeText(made.certificate)}`)
    this.log(`
Next, in server.listen of the server:
  cert: ${made.cert}
  key: ${made.key}
and in client.connect of clients:
  ca: ca.pem   # a copy of that of the authority`)
    return made
  }
}
