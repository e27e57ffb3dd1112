import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand } from '../command.js'

/** Milliseconds after the report for what is still under way, a name that no resolver answers say. */
const LINGER_MS = 200

export default class Doctor extends RystraCommand {
  static override description =
    `Examines the configuration in this folder, the way to its server, and the process that runs with it.

Checks the configuration, versions, the state folder and its rights, an admin socket that was left over, the running process, proxies in the environment, the name and the port of the server, its certificate, the tunnel by its transport (with QUIC also the path of UDP), and the clocks. All checks run at once and take 8 seconds at most. Nothing is changed; the server sees connections that say nothing.

The report holds no secrets, but names of hosts and folders. Exits 0 when no check failed, also with warnings, and 1 when one did.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --config /etc/rystra/rystra.config.yaml --json',
    '<%= config.bin %> <%= command.id %> --bundle rystra-report.zip'
  ]

  static override flags = {
    ...configFlag,
    bundle: Flags.string({
      description:
        'Write a zip file too: the report, the redacted configuration, and status, events, last log lines, event loop and heap of running processes.',
      helpValue: '<file>'
    })
  }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(Doctor)
    const { examine, reportText } = await import('../doctor/index.js')
    const examined = await examine(process.cwd(), flags.config)
    const { report, late } = examined
    this.log(reportText(report))
    let files: readonly string[] | undefined
    if (flags.bundle !== undefined) {
      const { writeBundle } = await import('../doctor/bundle.js')
      files = await writeBundle(flags.bundle, examined)
      this.log(`${flags.bundle} has ${files.length} files.`)
    }
    if (report.outcome === 'fail') process.exitCode = 1
    if (late) setTimeout(() => process.exit(), LINGER_MS).unref()
    return { ...report, ...(files === undefined ? {} : { bundle: flags.bundle, files }) }
  }
}
