import { RystraCommand } from '../command.js'
import type { AdminApi } from './admin-api.js'
import type { FindOptions } from './find.js'
import type { AdminTarget } from './flags.js'

/** A command that talks to a running process. */
export abstract class AdminCommand extends RystraCommand {
  /** The process that the flags mean. Rejects with `admin.not-running` or `usage.invalid`. */
  protected async api(flags: AdminTarget, options?: FindOptions): Promise<AdminApi> {
    const [{ findPlace }, { AdminApi: Api }] = await Promise.all([import('./find.js'), import('./admin-api.js')])
    return new Api(await findPlace(process.cwd(), flags, options))
  }
}
