import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Kick extends AdminCommand {
  static override description = `Ends the session of a client, or one stream, of a running process.

Open streams of a session are reset. The client dials again at once; with --final it gives up and exits 5. To keep it out, remove its token or add a rule.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> office',
    '<%= config.bin %> <%= command.id %> office --final',
    '<%= config.bin %> <%= command.id %> --stream 3f2a9c.1k'
  ]

  static override args = {
    client: Args.string({ description: 'Id of the client or of its session, or an identity.' })
  }

  static override flags = {
    ...adminFlags,
    all: Flags.boolean({ default: false, description: 'All sessions that the word means, where it means several.' }),
    final: Flags.boolean({ default: false, description: 'Tell the client to give up instead of dialing again.' }),
    stream: Flags.string({ description: 'Id of a stream to reset, instead of a session.', exclusive: ['final', 'all'] })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Kick)
    if ((args.client === undefined) === (flags.stream === undefined))
      this.error('name a client, or a stream with --stream', { exit: 2 })
    const api = await this.api(flags)
    if (flags.stream !== undefined) {
      await api.request(`/v1/streams/${encodeURIComponent(flags.stream)}`, { method: 'DELETE' })
      this.log(`The stream ${flags.stream} was reset.`)
      return { streams: [flags.stream] }
    }
    const { theSessions } = await import('../admin/lookup.js')
    const { plainText } = await import('../admin/text.js')
    const sessions = await theSessions(api, args.client ?? '', flags.all)
    for (const { id } of sessions)
      await api.request(`/v1/sessions/${encodeURIComponent(id)}?final=${flags.final}`, { method: 'DELETE' })
    for (const { client, peer } of sessions) this.log(`The session of ${plainText(client)} (${peer}) was ended.`)
    return { sessions: sessions.map(({ id }) => id) }
  }
}
