import * as Args from '@oclif/core/args'
import * as Flags from '@oclif/core/flags'
import { RystraCommand } from '../../command.js'
import { extensionKinds } from '../../extension/templates.js'

export default class ExtensionCreate extends RystraCommand {
  static override description =
    `Writes an extension in TypeScript: a working start, a test with the kit of its kind, and a README.

It needs no build: the test and the tunnel load the TypeScript as it is.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> office-hours',
    '<%= config.bin %> <%= command.id %> @acme/rystra-acl --dir ../acl',
    '<%= config.bin %> <%= command.id %> rystra-transport-radio --kind transport'
  ]

  static override args = {
    name: Args.string({ description: 'Name of the package.', required: true })
  }

  static override flags = {
    kind: Flags.option({
      description:
        'Contract that it implements: hook, auth (authenticator), transport, muxer or proxy (kind of proxy).',
      options: extensionKinds,
      default: 'hook' as const
    })(),
    dir: Flags.string({
      description: 'Folder of the package; created if absent. [default: the name]',
      helpValue: '<folder>'
    })
  }

  async run(): Promise<unknown> {
    const { args, flags } = await this.parse(ExtensionCreate)
    const { createExtension } = await import('../../extension/create.js')
    const { relative } = await import('node:path')
    const created = await createExtension(args.name, flags.kind, flags.dir, process.cwd())
    const there = relative(process.cwd(), created.dir) || '.'
    this.log(created.dir)
    for (const file of created.files) this.log(`  new  ${file}`)
    this.log(
      `\nNext:\n  cd ${there}\n  npm install\n  npm test\n\nThen, in the folder of a tunnel: rystra plugins:add ${created.dir}`
    )
    return created
  }
}
