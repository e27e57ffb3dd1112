import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'

export default class CertShow extends RystraCommand {
  static override description =
    `Shows the certificates, keys and revocation lists of a file, or the certificates that a server presents.

The certificate of a server is not verified, and nothing is sent: compare the fingerprint with the one on the machine of the server. Keys are never printed.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> server.pem',
    '<%= config.bin %> <%= command.id %> ca/crl.pem --json',
    '<%= config.bin %> <%= command.id %> 203.0.113.7:7000 --server-name tunnel.example.org'
  ]

  static override args = {
    what: Args.string({ description: 'PEM file, or host:port of a server that speaks TLS over TCP.', required: true })
  }

  static override flags = {
    'server-name': Flags.string({ description: 'Server name to send (SNI). [default: the host]' }),
    timeout: Flags.integer({
      min: 1,
      max: 300,
      default: 10,
      description: 'Time for connection and handshake, in seconds.'
    })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CertShow)
    const { showCertificates } = await import('../../certs/show.js')
    const { shownText } = await import('../../certs/text.js')
    const options = { serverName: flags['server-name'], timeout: flags.timeout * 1000 }
    const shown = await showCertificates(args.what, options)
    this.log(shownText(shown))
    return shown
  }
}
