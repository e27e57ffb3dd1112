import * as Flags from '@oclif/core/flags'
import { AdminCommand } from '../admin/admin-command.js'
import { adminFlags } from '../admin/flags.js'

export default class Drain extends AdminCommand {
  static override description =
    `Drains a running process: it takes no more sessions and visitors, and open streams may finish.

Waits until they are over or the time is. With --stop the process ends afterwards. A drained process does not go back to work: start it anew.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --timeout 5m --stop',
    '<%= config.bin %> <%= command.id %> --to b.example.net --to c.example.net:7001 --stop',
    '<%= config.bin %> <%= command.id %> --json'
  ]

  static override flags = {
    ...adminFlags,
    timeout: Flags.string({
      description: 'Time for open streams: 30s, 5m. [default: `drain` of the configuration]',
      helpValue: '<duration>'
    }),
    to: Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      description:
        'Server: another one for its clients, which go there before their proxies are taken back. May be repeated. They go only to servers that their own configuration trusts.',
      helpValue: '<host[:port]>'
    }),
    stop: Flags.boolean({ default: false, description: 'Stop the process afterwards.' })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Drain)
    const { parseServerAddress } = await import('../address.js')
    const alternatives = flags.to?.map((text) => {
      const { host, port } = parseServerAddress(text)
      return { host, port }
    })
    const { durationOf, durationPattern } = await import('@rystra/limits')
    if (flags.timeout !== undefined && !new RegExp(durationPattern).test(flags.timeout))
      this.error(`--timeout: expected a duration such as 30s, got ${JSON.stringify(flags.timeout)}`, { exit: 2 })
    const api = await this.api(flags)
    const timeout = flags.timeout === undefined ? {} : { timeout: durationOf(flags.timeout) }
    const result = await api.request<{ streams: number }>('/v1/drain', {
      method: 'POST',
      body: { ...timeout, stop: flags.stop, ...(alternatives === undefined ? {} : { alternatives }) }
    })
    const { streams } = result
    this.log(streams === 0 ? 'Drained: no stream is left.' : `Drained: ${streams} streams were left.`)
    return result
  }
}
