import { type AdHocOptions, adHocConfig, secretField } from './ad-hoc.js'
import { runClient } from './client.js'
import { fieldPairs } from './fields.js'
import { StopSignals } from './stop-signals.js'

/** What `visit` is told. */
export interface VisitOptions extends AdHocOptions {
  /** Under which the service is visited. */
  readonly name: string
  readonly bind: string
  readonly secret?: string | undefined
  /** Further fields of the entry: `from=home`. */
  readonly set: readonly string[]
  readonly json: boolean
  readonly debug: boolean
}

/** Opens a port of this machine to a service of another client until it is told to stop, without a configuration. */
export const visit = async (options: VisitOptions): Promise<void> => {
  const signals = new StopSignals()
  const { name, bind, secret, set, json, debug } = options
  const fields = fieldPairs(set, '--set', 'visitor', ['name', 'kind', 'of', 'bind', 'secret'])
  const entry = { name, kind: 'private', of: name, bind, ...secretField(secret), ...fields }
  const { config, dir } = await adHocConfig(options, 'kind:private', { forwards: [entry] })
  await runClient({ config, dir, json, debug, admin: false, patient: false, signals })
}
