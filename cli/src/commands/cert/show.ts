import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'

export default class CertShow extends RystraCommand {
  static override description = `Shows what is in a file with certificates, or what a server presents.

Of a server it trusts nothing and sends nothing: compare the fingerprint with that on the machine of the server. Keys are never printed.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> server.pem',
    '<%= config.bin %> <%= command.id %> ca/crl.pem --json',
    '<%= config.bin %> <%= command.id %> 203.0.113.7:7000 --server-name tunnel.example.org'
  ]

  static override args = {
    what: Args.string({ description: 'A PEM file, or host:port of a server with TLS over TCP.', required: true })
  }

  static override flags = {
    'server-name': Flags.string({ description: 'Name to ask the server for. [default: its host]' }),
    timeout: Flags.integer({ min: 1, max: 300, default: 10, description: 'Seconds for connection and handshake.' })
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
