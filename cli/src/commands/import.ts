import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../command.js'

const outcomes = { same: '=', changed: '~', none: '-' } as const

export default class Import extends RystraCommand {
  static override description =
    `Makes a project of the configuration of frp, rathole or chisel, and tells for each line what became of it.

Reads frpc and frps in TOML, YAML or JSON, rathole in TOML, and the arguments of chisel. Each line is marked: = means the same here, ~ has an equivalent that differs, - has none and is left out. Secrets go to .env. Overwrites nothing unless --force is given, and keeps a copy then.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> /etc/frp/frpc.toml',
    '<%= config.bin %> <%= command.id %> frps.toml --out my-server',
    '<%= config.bin %> <%= command.id %> rathole.toml --stdout',
    '<%= config.bin %> <%= command.id %> chisel "client --auth ann:secret https://tunnel.example.org R:2222:localhost:22"'
  ]

  static override args = {
    source: Args.string({ description: 'Configuration of frpc, frps or rathole, or the word chisel.', required: true }),
    arguments: Args.string({ description: 'Of chisel: what follows the word chisel on its command line, in quotes.' })
  }

  static override flags = {
    from: Flags.string({
      options: ['frpc', 'frps', 'rathole'],
      description: 'The program that the file belongs to. [default: what is in the file, then its name]'
    }),
    out: Flags.string({
      description: 'Folder of the project; it is made when it is not there.',
      default: '.',
      helpValue: '<dir>'
    }),
    stdout: Flags.boolean({
      description: 'Write nothing: print the configuration, and what became of each line to stderr.'
    }),
    force: Flags.boolean({ description: 'Replace a configuration that is there. A copy is kept.' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Import)
    const { importArguments, importFile } = await import('../import/index.js')
    const { RystraError } = await import('@rystra/model')
    if ((args.source === 'chisel') !== (args.arguments !== undefined))
      throw new RystraError('usage.invalid', {
        detail: args.source === 'chisel' ? 'chisel needs its arguments' : `unexpected argument "${args.arguments}"`,
        hint: '`rystra import chisel "client …"`, or `rystra import frpc.toml`'
      })
    const imported =
      args.arguments === undefined
        ? await importFile(args.source, process.cwd(), flags.from as 'frpc' | 'frps' | 'rathole' | undefined)
        : importArguments(args.arguments)
    const { renderYaml } = await import('../import/render.js')
    const { missingVariables, nextCommands, writeImported } = await import('../import/write.js')
    const { notes } = imported.draft
    const say = (line: string): void => (flags.stdout ? this.logToStderr(line) : this.log(line))
    const { table } = await import('../table.js')
    const rows = notes.map(({ line, key, outcome, text }) => [String(line ?? ''), outcomes[outcome], key, text])
    const result = { peer: imported.peer, notes, missing: missingVariables(imported) }
    if (flags.stdout) {
      const yaml = renderYaml(imported.draft, imported.source)
      this.log(yaml.trimEnd())
      say(table(['LINE', '', 'ENTRY', 'HERE'], rows))
      return { ...result, config: yaml }
    }
    const written = await writeImported(imported, flags.out, flags.force)
    say(table(['LINE', '', 'ENTRY', 'HERE'], rows))
    const count = (of: string): number => notes.filter(({ outcome }) => outcome === of).length
    say(
      `\n${count('same')} the same, ${count('changed')} changed, ${count('none')} without an equivalent.\n\n${written.dir}`
    )
    for (const name of written.created) say(`  new       ${name}`)
    for (const name of written.changed) say(`  changed   ${name}`)
    for (const name of written.kept) say(`  as it was ${name}`)
    say(
      `\nNext:\n${nextCommands(imported)
        .map((line) => `  ${line}`)
        .join('\n')}`
    )
    return { ...result, ...written }
  }
}
