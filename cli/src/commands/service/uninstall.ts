import { RystraCommand } from '../../command.js'
import { checkName, unitFlags } from '../../service/flags.js'

export default class ServiceUninstall extends RystraCommand {
  static override description = `Stops the service, and removes its unit.

The configuration and the state in /var/lib stay.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --name rystra-home --user'
  ]

  static override flags = { ...unitFlags }

  async run(): Promise<unknown> {
    const { flags } = await this.parse(ServiceUninstall)
    const { placeOf, removeUnit, systemctl } = await import('../../service/manage.js')
    const name = checkName(flags.name)
    const place = placeOf(name, flags.user)
    const { existsSync } = await import('node:fs')
    const present = existsSync(place.file)
    if (present) await systemctl(place, 'disable', '--now', `${name}.service`)
    const removed = await removeUnit(place)
    if (removed) await systemctl(place, 'daemon-reload')
    this.log(removed ? `removed: ${place.file}` : `not there: ${place.file}`)
    return { name, file: place.file, removed }
  }
}
