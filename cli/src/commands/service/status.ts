import { RystraCommand } from '../../command.js'
import { checkName, unitFlags } from '../../service/flags.js'

export default class ServiceStatus extends RystraCommand {
  static override description =
    'Shows what systemd says of the service: whether it runs, since when, and how often it was restarted.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --name rystra-home --user --json'
  ]

  static override flags = { ...unitFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(ServiceStatus)
    const { placeOf, unitStatus } = await import('../../service/manage.js')
    const name = checkName(flags.name)
    const place = placeOf(name, flags.user)
    const status = await unitStatus(place, name)
    this.log(`${name}.service  ${place.file}`)
    for (const [property, value] of Object.entries(status))
      if (value !== '') this.log(`  ${property.padEnd(22)}${value}`)
    return { name, file: place.file, ...status }
  }
}
