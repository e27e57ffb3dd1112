import { parseService } from '../address.js'
import { type AdHocOptions, adHocConfig, secretField } from './ad-hoc.js'
import { runClient } from './client.js'
import { fieldPairs } from './fields.js'
import { StopSignals } from './stop-signals.js'

/** What `expose` is told. */
export interface ExposeOptions extends AdHocOptions {
  readonly kind: string
  readonly service: string
  readonly port?: number | undefined
  readonly name?: string | undefined
  readonly host?: string | undefined
  readonly subdomain?: string | undefined
  readonly path?: string | undefined
  readonly secret?: string | undefined
  /** Further fields of the entry: `bandwidth=1MB`. */
  readonly set: readonly string[]
  readonly json: boolean
  readonly debug: boolean
}

/** Publishes one service until it is told to stop, without a configuration. */
export const expose = async (options: ExposeOptions): Promise<void> => {
  const signals = new StopSignals()
  const { kind, port, host, subdomain, path, secret, set, json, debug } = options
  const local = parseService(options.service)
  const fields = fieldPairs(set, '--set', 'proxy', ['name', 'kind', 'local', 'port', 'secret'])
  const entry = {
    name: options.name ?? `${kind}-${local.slice(local.lastIndexOf(':') + 1)}`.slice(0, 128),
    kind,
    local,
    ...Object.fromEntries(Object.entries({ port, host, subdomain, path }).filter(([, value]) => value !== undefined)),
    // The environment may hold one for another kind of proxy, which knows no such field.
    ...(kind === 'private' || secret !== undefined ? secretField(secret) : {}),
    ...fields
  }
  const { config, dir } = await adHocConfig(options, `kind:${kind}`, { proxies: [entry] })
  await runClient({ config, dir, json, debug, patient: false, signals })
}
