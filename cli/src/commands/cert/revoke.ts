import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'
import { caFlag } from './flags.js'

const reasons = ['keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn']

export default class CertRevoke extends RystraCommand {
  static override description = `Puts a certificate on the revocation list of its authority.

Writes crl.pem into the folder of the authority; earlier revocations stay. Without a certificate the list is renewed, or an empty one is made, so that servers can be configured with it from the start.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> home.pem --ca ca',
    '<%= config.bin %> <%= command.id %> home.pem --reason keyCompromise',
    '<%= config.bin %> <%= command.id %> --ca ca'
  ]

  static override args = {
    cert: Args.string({ description: 'File of the certificate (PEM). [default: none; the list is only renewed]' })
  }

  static override flags = {
    ...caFlag,
    reason: Flags.string({ options: reasons, description: 'Reason in the revocation list, RFC 5280. [default: none]' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CertRevoke)
    const { revokeCertificate } = await import('../../certs/revoke.js')
    const { crl, list } = await revokeCertificate(args.cert, flags.ca, flags.reason)
    const count = list.revoked.length
    this.log(`${crl}\n  number ${list.number}, ${count} revoked`)
    this.log(`
Next, in server.listen of the server:
  crl: crl.pem   # a copy of this one; a running server reads it anew by itself`)
    return { crl, ...list }
  }
}
