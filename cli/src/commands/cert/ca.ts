import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'
import { makeFlags } from './flags.js'

export default class CertCa extends RystraCommand {
  static override description = `Makes a certificate authority that signs certificates for servers and clients.

Writes ca.pem, which is public, and ca-key.pem, which is secret: keep it only where certificates are made.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --name "Example tunnels" --out /etc/rystra/ca --days 1825'
  ]

  static override flags = {
    name: Flags.string({ default: 'Rystra CA', description: 'Common name of the authority.' }),
    out: Flags.string({ default: 'ca', description: 'Folder for the files; created if absent.', helpValue: '<dir>' }),
    ...makeFlags(3650, 'RSA')
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(CertCa)
    const { makeCa } = await import('../../certs/make.js')
    const { madeText } = await import('../../certs/text.js')
    const made = await makeCa(flags.name, flags)
    this.log(`${made.cert}\n${made.key}   keep this one to yourself\n  ${madeText(made.certificate)}`)
    this.log(`
Next:
  rystra cert:server tunnel.example.org --ca ${flags.out}
  rystra cert:client home --ca ${flags.out}
Clients trust it with \`ca: ${made.cert}\` in client.connect, servers let its clients in with \`clientCa: ${made.cert}\` in server.listen.`)
    return made
  }
}
