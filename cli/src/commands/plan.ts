import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Plan extends AdminCommand {
  static override description = `Shows what a reload of a running process would do, and changes nothing.

Tells of each listener, extension, proxy, right and limit what would become of it, and which open streams and sessions would end. Exits 2 when the reload would fail, 3 when it would end streams or sessions.`

  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> --json']

  static override flags = { ...adminFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Plan)
    const api = await this.api(flags)
    const { plan, planText } = await import('../admin/plan.js')
    const result = await plan(api)
    this.log(planText(result))
    if (result.problems.length > 0) process.exitCode = 2
    else if (result.streams > 0 || result.sessions > 0) process.exitCode = 3
    return result
  }
}
