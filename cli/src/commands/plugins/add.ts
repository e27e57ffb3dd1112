import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { configFlag, RystraCommand } from '../../command.js'

export default class PluginsAdd extends RystraCommand {
  static override description = `Installs an extension and writes it into the configuration.

The package is inspected, installed without its install scripts, loaded in a separate process, and set up together with all other extensions, without starting them. Then it is written into the configuration, if that is YAML or JSON; comments in the file stay. For TOML and code the lines to add are printed. After a failure or an interrupt, project and configuration are as before.

A name is searched in the checkout that this command runs from, then in the npm registry.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> @rystra/transport-tls',
    '<%= config.bin %> <%= command.id %> ./my-extension',
    '<%= config.bin %> <%= command.id %> ../rystra-hook-acl-1.2.0.tgz --dry-run',
    `<%= config.bin %> <%= command.id %> office-hours --options '{"from": 8}'`
  ]

  static override args = {
    package: Args.string({ description: 'Package: name, name@version, folder or tarball.', required: true })
  }

  static override flags = {
    ...configFlag,
    'dry-run': Flags.boolean({ description: 'Install and check it, then undo all changes.' }),
    options: Flags.string({ description: 'Options of the extension, as JSON.', helpValue: '<json>' }),
    'allow-scripts': Flags.boolean({ description: 'Let npm run install scripts of the package and its dependencies.' })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(PluginsAdd)
    const { readOptions } = await import('../../plugins/options.js')
    const options = readOptions(flags.options)
    const { addExtension } = await import('../../plugins/add.js')
    const added = await addExtension({
      what: args.package,
      cwd: process.cwd(),
      config: flags.config,
      options,
      dryRun: flags['dry-run'],
      allowScripts: flags['allow-scripts'],
      onStep: (step) => this.logToStderr(`${step} …`),
      onResolved: ({ name, version, from, license, scripts, deprecated }) => {
        this.log(`${name}@${version} (from the ${from}, licence ${license})`)
        if (deprecated !== undefined) this.logToStderr(`  deprecated: ${deprecated}`)
        if (scripts.length > 0 && !flags['allow-scripts']) {
          this.logToStderr(`  its install scripts (${scripts.join(', ')}) are not run; --allow-scripts runs them`)
        }
      }
    })
    const { name, registers, taps } = added.extension
    this.log(`${name}: registers ${registers.join(', ') || 'nothing'}; taps ${taps.join(', ') || 'nothing'}`)
    if (added.dryRun) this.log('It would be added. Nothing was changed.')
    else if (added.written) this.log(`Added to ${added.config}. See: rystra plugins:inspect ${name}`)
    else this.log(`Installed. Write this into the \`extensions\` of ${added.config} by hand:\n\n${added.snippet}`)
    return added
  }
}
