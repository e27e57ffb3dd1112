import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Status extends AdminCommand {
  static override description = `Shows the state and the totals of a running server or client.

Finds the process by its socket in the state folder: .rystra here, or RYSTRA_STATE. Exits 4 when none runs.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
    '<%= config.bin %> <%= command.id %> --admin https://tunnel.example.org:7080 --token "$TOKEN"'
  ]

  static override flags = { ...adminFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Status)
    const api = await this.api(flags, { prefer: 'server' })
    const { statusOf, statusText } = await import('../admin/status.js')
    const status = await statusOf(api)
    this.log(statusText(status))
    return status
  }
}
