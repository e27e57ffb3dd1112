import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand } from '../../command.js'
import { checkName, unitFlags } from '../../service/flags.js'

export default class ServiceInstall extends RystraCommand {
  static override description = `Makes a service of systemd that runs the server or the client of a configuration.

The unit runs as a temporary user of systemd (DynamicUser), or as the user of --as, and sees the system read-only. It is restarted when it fails. It tells systemd when it is ready, feeds its watchdog, and reloads with \`systemctl reload\`. The state is in /var/lib/<name>. That user must be able to read the configuration. Run the command again after Node or the configuration moved.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --config /etc/rystra/rystra.config.yaml',
    '<%= config.bin %> <%= command.id %> --role connect --user',
    '<%= config.bin %> <%= command.id %> --dry-run'
  ]

  static override flags = {
    ...configFlag,
    ...unitFlags,
    role: Flags.string({
      options: ['serve', 'connect'],
      description: 'What it runs. [default: what the configuration has]'
    }),
    as: Flags.string({ description: 'User that it runs as. [default: one that systemd makes]', helpValue: '<user>' }),
    start: Flags.boolean({ allowNo: true, default: true, description: 'Enable and start it.' }),
    'dry-run': Flags.boolean({ description: 'Print the unit, and change nothing.' })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(ServiceInstall)
    const { install } = await import('../../service/install.js')
    const done = await install({
      name: checkName(flags.name),
      cwd: process.cwd(),
      config: flags.config,
      role: flags.role as 'serve' | 'connect' | undefined,
      user: flags.as,
      own: flags.user,
      start: flags.start,
      dryRun: flags['dry-run']
    })
    if (flags['dry-run']) this.log(done.unit.trimEnd())
    else
      this.log(
        `${done.changed ? 'written' : 'as it was'}: ${done.file}${flags.start ? `\nstarted: ${flags.name}.service` : ''}`
      )
    return done
  }
}
