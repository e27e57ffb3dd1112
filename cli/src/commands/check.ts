import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand } from '../command.js'

export default class Check extends RystraCommand {
  static override description = `Checks the configuration and sets up every extension, without starting anything.

Reports all problems at once, each with path, value and what was expected. Warns of certificates that expire within 30 days. Exit code 2: the configuration or a certificate is wrong; 3: an extension is.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --config /etc/rystra/rystra.config.yaml --json',
    '<%= config.bin %> <%= command.id %> --schema > rystra.schema.json'
  ]

  static override flags = {
    ...configFlag,
    schema: Flags.boolean({
      description:
        'Write the JSON Schema of the whole configuration, the options of all loaded extensions included, to stdout.'
    })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Check)
    const { checkConfig, schemaOf } = await import('../check.js')
    if (flags.schema) {
      const schema = await schemaOf(process.cwd(), flags.config)
      if (!this.jsonEnabled()) process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`)
      return schema
    }
    const result = await checkConfig(process.cwd(), flags.config)
    this.log(`${result.config} is valid.`)
    for (const { side, extensions, summary } of result.sides) {
      this.log(`  ${side}: ${summary}; ${extensions.length} extensions (${extensions.join(', ')})`)
    }
    for (const { path, text } of result.warnings)
      this.logToStderr(`Warning: ${path === undefined ? '' : `${path}: `}${text}.`)
    return result
  }
}
