import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Inspect extends AdminCommand {
  static override description = `Shows HTTP requests of a running process, and sends them to their service again.

Without a flag it writes each request when it ends. Needs the extension @rystra/inspect-http in the process, which \`expose http\` has by itself: where one runs it is asked, unless --side names another. Secrets in heads and queries are masked, unless --secrets.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --list --status 5xx',
    '<%= config.bin %> <%= command.id %> --show 3f9a1c-7 --json',
    '<%= config.bin %> <%= command.id %> --replay 3f9a1c-7 --target /v2/orders --data \'{"a":1}\'',
    '<%= config.bin %> <%= command.id %> --har requests.har --search login'
  ]

  static override streams = true

  static override flags = {
    ...adminFlags,
    list: Flags.boolean({ description: 'List the requests that are kept, and end.' }),
    search: Flags.string({ description: 'Only requests with this text in URL, heads or bodies.' }),
    status: Flags.string({ description: 'Only requests with this status: 404, or 5xx.' }),
    show: Flags.string({ description: 'Show one request and its response.', helpValue: '<id>' }),
    curl: Flags.string({ description: 'Print the curl command of one request.', helpValue: '<id>' }),
    har: Flags.string({ description: 'Write requests into a file, as an HTTP Archive.', helpValue: '<file>' }),
    replay: Flags.string({ description: 'Send one request to its service again.', helpValue: '<id>' }),
    method: Flags.string({ description: 'Method of the replay. [default: as it was]', dependsOn: ['replay'] }),
    target: Flags.string({ description: 'Path and query of the replay. [default: as it was]', dependsOn: ['replay'] }),
    data: Flags.string({ description: 'Body of the replay. [default: as it was]', dependsOn: ['replay'] }),
    secrets: Flags.boolean({ description: 'Show what is masked otherwise; needs the scope admin.' })
  }

  async run(): Promise<void> {
    const { flags } = await this.parse(Inspect)
    const api = await this.api(flags, {
      exposeFirst: true,
      ...(flags.replay === undefined ? { prefer: 'server' } : {})
    })
    const { followRequests, inspectOnce } = await import('../admin/inspect.js')
    const once = await inspectOnce(api, flags)
    if (once === undefined) await followRequests(api, this.jsonEnabled())
    else process.stdout.write(`${this.jsonEnabled() ? JSON.stringify(once.result) : once.text}\n`)
  }
}
