import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand, socketFlag, watchFlag } from '../command.js'

export default class Connect extends RystraCommand {
  static override streams = true
  static override side = 'client' as const

  static override description = `Runs the client of a configuration.

An unreachable server is dialed again as client.reconnect says, forever by default, with a message each time. The command fails for errors that do not pass by themselves, such as a wrong token.

With --json, events are on stdout, one object per line: "connected", "published", "unpublished", "visiting", "refused", "reconnecting", "waiting" (for a server that does not answer), "disconnected", "streamOpen", "streamClose", "reloaded", "reloadFailed", "stopping", "stopped", and "lost" with the number of lines that could not be written. The log is on stderr.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --config home.yaml --json',
    '<%= config.bin %> <%= command.id %> --to a.example.net --to b.example.net:7001',
    '<%= config.bin %> <%= command.id %> --no-retry'
  ]

  static override flags = {
    ...configFlag,
    join: Flags.string({
      description:
        'The server, as the join string that `rystra serve` prints, in place of `client.connect` and the token.',
      helpValue: '<join string>'
    }),
    to: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      exclusive: ['join'],
      description:
        'Address of the server, in place of that of `client.connect`. May be repeated: the next server is dialed when one is lost.',
      helpValue: '<[transport://]host[:port]>'
    }),
    ...socketFlag,
    ...watchFlag,
    resume: Flags.boolean({
      description:
        'Start with the last good configuration, kept in the state folder, when the file is broken, and say so. [default: fail]'
    }),
    retry: Flags.boolean({
      allowNo: true,
      default: true,
      description: 'Whether to dial again when the server cannot be reached; --no-retry exits.'
    })
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Connect)
    const { connect } = await import('../run/connect.js')
    await connect({ ...flags, cwd: process.cwd(), json: this.jsonEnabled(), debug: this.debugging })
  }
}
