import * as Args from '@oclif/core/args'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class LogLevel extends AdminCommand {
  static override description = 'Shows the level of the log of a running process, or sets it until the process ends.'

  static override examples = ['<%= config.bin %> <%= command.id %>', '<%= config.bin %> <%= command.id %> debug']

  static override args = {
    level: Args.string({
      options: ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
      description: 'The new level. [default: show it]'
    })
  }

  static override flags = { ...adminFlags }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(LogLevel)
    const api = await this.api(flags)
    if (args.level !== undefined) {
      const set = await api.request<{ level: string }>('/v1/log-level', { method: 'PUT', body: { level: args.level } })
      this.log(`The level of the log is ${set.level}.`)
      return set
    }
    const { logLevel } = await api.request<{ logLevel?: string }>('/v1/status')
    this.log(
      logLevel === undefined
        ? 'The level of the log is not changed through this process.'
        : `The level of the log is ${logLevel}.`
    )
    return { level: logLevel ?? null }
  }
}
