import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../command.js'

export default class Init extends RystraCommand {
  static override description =
    `Makes a project: configuration with comments, package.json, a fresh token in .env, README.

Asks on a terminal for what is not said with flags; without one, or with --yes, it takes the usual. Overwrites nothing unless --force is given, and keeps a copy then.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> my-tunnel --yes',
    '<%= config.bin %> <%= command.id %> --role server --format toml',
    '<%= config.bin %> <%= command.id %> office --role client --to tcp://tunnel.example.org:7000 --token "$TOKEN"'
  ]

  static override args = {
    dir: Args.string({ description: 'Folder of the project; it is made when it is not there.', default: '.' })
  }

  static override flags = {
    role: Flags.string({ options: ['server', 'client', 'both'], description: 'What it is for. [default: both]' }),
    format: Flags.string({
      options: ['yaml', 'json', 'toml', 'ts'],
      description: 'Format of the configuration. [default: yaml]'
    }),
    to: Flags.string({
      description: 'The server, for a client: as `serve` prints it.',
      helpValue: '[transport://]host[:port]'
    }),
    join: Flags.string({
      description: 'The server and its token, for a client: the join string that `rystra serve` prints.',
      helpValue: '<join string>'
    }),
    token: Flags.string({
      description: 'The token of the server, for a client. [default: a new one]',
      helpValue: '<token>'
    }),
    service: Flags.string({
      description: 'What a client publishes. [default: 127.0.0.1:3000]',
      helpValue: '[host:]port'
    }),
    yes: Flags.boolean({ char: 'y', description: 'Ask nothing.' }),
    force: Flags.boolean({ description: 'Replace a configuration that is there. A copy is kept.' })
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
