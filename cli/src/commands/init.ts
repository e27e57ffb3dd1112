import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../command.js'

export default class Init extends RystraCommand {
  static override description =
    `Makes a project: configuration with comments, package.json, a new token in .env, README.

On a terminal it asks for values that no flag gives; otherwise, or with --yes, it uses defaults. Existing files stay, unless --force is given: then a copy is kept.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> my-tunnel --yes',
    '<%= config.bin %> <%= command.id %> --role server --format toml',
    '<%= config.bin %> <%= command.id %> office --role client --to tcp://tunnel.example.org:7000 --token "$TOKEN"'
  ]

  static override args = {
    dir: Args.string({ description: 'Folder of the project; created if absent.', default: '.' })
  }

  static override flags = {
    role: Flags.string({
      options: ['server', 'client', 'both'],
      description: 'End that the configuration is for. [default: both]'
    }),
    format: Flags.string({
      options: ['yaml', 'json', 'toml', 'ts'],
      description: 'Format of the configuration. [default: yaml]'
    }),
    to: Flags.string({
      description: 'client: address of the server, as `rystra serve` prints it.',
      helpValue: '[transport://]host[:port]'
    }),
    join: Flags.string({
      description: 'client: join string of the server, as `rystra serve` prints it.',
      helpValue: '<join string>'
    }),
    token: Flags.string({
      description: 'client: token that the server accepts. [default: a new one]',
      helpValue: '<token>'
    }),
    service: Flags.string({
      description: 'client: address of the service to publish. [default: 127.0.0.1:3000]',
      helpValue: '[host:]port'
    }),
    yes: Flags.boolean({ char: 'y', description: 'Use defaults without asking.' }),
    force: Flags.boolean({ description: 'Replace an existing configuration; a copy is kept.' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(Init)
    const { ask, assume } = await import('../init/ask.js')
    const terminal = process.stdin.isTTY === true && process.stdout.isTTY === true
    const { plan, token } = terminal && !flags.yes && !this.jsonEnabled() ? await ask(flags) : assume(flags)
    const { writeProject } = await import('../init/write.js')
    const written = await writeProject(args.dir, plan, { token, force: flags.force })
    this.log(`${written.dir}`)
    for (const name of written.created) this.log(`  new       ${name}`)
    for (const name of written.changed) this.log(`  changed   ${name}`)
    for (const name of written.kept) this.log(`  as it was ${name}`)
    const { relative } = await import('node:path')
    const there = relative(process.cwd(), written.dir)
    const next = [
      ...(there === '' ? [] : [`cd ${there}`]),
      'npm install',
      ...(plan.role === 'client' ? [] : ['npx rystra serve']),
      ...(plan.role === 'server'
        ? []
        : [`npx rystra connect${plan.role === 'both' ? '   # in a second terminal' : ''}`])
    ]
    this.log(`\nNext:\n${next.map((line) => `  ${line}`).join('\n')}`)
    return { ...written, role: plan.role, format: plan.format, next }
  }
}
