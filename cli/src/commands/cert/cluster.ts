import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'

export default class CertCluster extends RystraCommand {
  static override description = `Makes certificates for the servers of a cluster.

Writes <name>.pem and <name>-key.pem for each, and ca.pem and ca-key.pem of an authority unless the folder has one. Use the authority for nothing else: every server of the cluster accepts what it signs for a server.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> a b c',
    '<%= config.bin %> <%= command.id %> d --out cluster',
    '<%= config.bin %> <%= command.id %> a --days 90 --force'
  ]

  static override args = {
    name: Args.string({
      description: 'Names of servers, as in server.cluster.name: lower-case letters, digits and -.',
      required: true,
      multiple: true
    })
  }

  static override flags = {
    out: Flags.string({
      default: 'cluster',
      description: 'Folder for the files; created if absent.',
      helpValue: '<dir>'
    }),
    days: Flags.integer({ min: 1, description: 'Validity in days. [default: 397]' }),
    force: Flags.boolean({ description: 'Overwrite existing files.' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(CertCluster)
    const { makeMembers } = await import('../../certs/members.js')
    const { madeText } = await import('../../certs/text.js')
    const made = await makeMembers(args.name, flags)
    for (const { cert, key, certificate } of made) {
      this.log(`${cert}\n${key}   keep this one to yourself\n  ${madeText(certificate)}`)
    }
    this.log(`
Next, on each server its own files and ca.pem, in server.cluster:
  ca: ${flags.out}/ca.pem
  cert: ${flags.out}/${args.name[0]}.pem
  key: ${flags.out}/${args.name[0]}-key.pem
Keep ca-key.pem where certificates are made, and on no server.`)
    return made
  }
}
