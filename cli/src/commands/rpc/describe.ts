import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'

export default class RpcDescribe extends RystraCommand {
  static override description = `Prints the contracts that a file exports: what defineService made.

As a table of Markdown, or with --json as JSON Schema.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> ./chat.ts',
    '<%= config.bin %> <%= command.id %> ./chat.ts --json > chat.json'
  ]

  static override args = {
    file: Args.string({ description: 'A module in JavaScript or TypeScript.', required: true })
  }

  static override flags = {
    service: Flags.string({ description: 'Only the service of this name. [default: all]' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(RpcDescribe)
    const { describe } = await import('../../run/rpc-describe.js')
    const services = await describe({ ...args, ...flags, cwd: process.cwd() })
    if (!this.jsonEnabled())
      this.log(
        services
          .map(({ markdown }) => markdown)
          .join('\n')
          .trimEnd()
      )
    return services.map(({ json }) => json)
  }
}
