import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'

export default class RpcDescribe extends RystraCommand {
  static override description = `Prints the services that a file exports: the values of defineService.

The output is a Markdown table, or JSON Schema with --json.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> ./chat.ts',
    '<%= config.bin %> <%= command.id %> ./chat.ts --json > chat.json'
  ]

  static override args = {
    file: Args.string({ description: 'Module that exports services: JavaScript or TypeScript.', required: true })
  }

  static override flags = {
    service: Flags.string({ description: 'Name of the service to describe. [default: all of the module]' })
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
