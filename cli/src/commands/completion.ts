import * as Args from '@oclif/core/args'
import { RystraCommand } from '../command.js'

/** The first sentence, on one line. */
const firstLine = (text = ''): string => text.replaceAll(/\s+/g, ' ').split(/(?<=\.) /)[0] ?? ''

export default class Completion extends RystraCommand {
  static override description = 'Prints the completion of commands and flags for a shell.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> bash >> ~/.bashrc',
    '<%= config.bin %> <%= command.id %> zsh > ~/.zfunc/_rystra',
    '<%= config.bin %> <%= command.id %> fish > ~/.config/fish/completions/rystra.fish'
  ]

  static override flags = {}

  static override args = {
    shell: Args.string({ options: ['bash', 'zsh', 'fish'], description: 'bash, zsh or fish.', required: true })
  }

  async run(): Promise<unknown> {
    const { args } = await this.parse(Completion)
    const { completionScript } = await import('../completion/script.js')
    const commands = this.config.commands
      .filter(({ hidden }) => !hidden)
      .map(({ id, description, flags }) => ({
        id,
        summary: firstLine(description),
        flags: Object.entries(flags).map(([name, flag]) => ({
          name,
          summary: firstLine(flag.description),
          ...('options' in flag && flag.options !== undefined ? { options: flag.options } : {})
        }))
      }))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    const script = completionScript(args.shell as 'bash' | 'zsh' | 'fish', commands)
    this.log(script.trimEnd())
    return { shell: args.shell, script }
  }
}
