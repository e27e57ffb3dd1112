import {
  ConfigError,
  type InspectedConfig,
  inspectConfig,
  type LoadedConfig,
  loadConfig,
  type ResolvedClient,
  type ResolvedConfig
} from '@rystra/config'
import { RystraError } from '@rystra/model'
import { runClient } from './client.js'
import { connectFields, parseServerAddresses } from '../address.js'
import { packagesFor } from './convention.js'
import { startable } from './last-good.js'
import { StopSignals } from './stop-signals.js'
import { packageOf, targetOf, withToken } from './target.js'

/** What `connect` is told. */
export interface ConnectOptions {
  readonly cwd: string
  readonly config?: string | undefined
  readonly retry: boolean
  readonly join?: string | undefined
  /** Servers in place of those of the configuration. */
  readonly to?: readonly string[] | undefined
  /** Whether it starts with the last good configuration when the file is broken. */
  readonly resume: boolean
  /** Whether commands can find it. */
  readonly admin: boolean
  /** Whether it reloads when the file of the configuration changes. */
  readonly watch: boolean
  readonly json: boolean
  readonly debug: boolean
}

/** Runs the client of a configuration until it is told to stop. */
export const connect = async ({
  cwd,
  config: file,
  retry,
  join,
  to,
  resume,
  admin,
  watch,
  json,
  debug
}: ConnectOptions): Promise<void> => {
  const signals = new StopSignals()
  const read = async (named: string | undefined): Promise<LoadedConfig> => {
    const options = { cwd, ...(named === undefined ? {} : { file: named }) }
    if (join !== undefined) return joined(await inspectConfig(options), join)
    return to === undefined ? loadConfig(options) : directed(await inspectConfig(options), to)
  }
  const loaded = await startable({ cwd, config: file, resume }, () => read(file), 'client')
  const { config, dir, path, warnings } = loaded as LoadedConfig
  await runClient({
    keeps: true,
    config: clientOf(config, path, retry),
    dir,
    path,
    json,
    debug,
    warnings,
    admin,
    watch,
    patient: retry,
    signals,
    reload: async () => clientOf((await read(path)).config, path, retry)
  })
}

const clientOf = (config: ResolvedConfig, path: string, retry: boolean): ResolvedConfig => {
  const { client } = config
  if (client === undefined) {
    throw new RystraError('config.invalid', {
      side: 'client',
      detail: `${path} has no \`client\``,
      hint: 'add it, or run `rystra serve` for the server; without a configuration, use `rystra expose`'
    })
  }
  return retry ? config : { ...config, client: { ...client, reconnect: { ...client.reconnect, attempts: 0 } } }
}

/** What is wrong elsewhere than in the address, which is replaced. */
const throwOthers = ({ errors, path: file }: InspectedConfig, replaced: RegExp): void => {
  for (const error of errors) {
    const others = error.problems.filter(({ path }) => !replaced.test(path))
    if (others.length > 0 || error.problems.length === 0) throw new ConfigError(error.code, others, file)
  }
}

/** The configuration with other servers; what else `client.connect` has of the transport stays. */
const directed = async (inspected: InspectedConfig, to: readonly string[]): Promise<LoadedConfig> => {
  throwOthers(inspected, /^client\.connect(\.(host|port|servers|srv|discover|transport)\b.*)?$/)
  const { errors: _, ...loaded } = inspected
  const present: Partial<ResolvedClient['connect']> = loaded.config.client?.connect ?? {}
  const { host: _host, port: _port, servers: _servers, srv: _srv, discover: _discover, ...kept } = present
  const addresses = parseServerAddresses(to, '--to', kept.transport)
  const connect = { ...kept, ...connectFields(addresses) }
  const packages = await packagesFor(loaded.dir, `transport:${addresses.transport}`)
  const extensions = loaded.config.extensions ?? []
  const listed = new Set(extensions.map(packageOf))
  const config = {
    ...loaded.config,
    extensions: [...extensions, ...packages.filter((name) => !listed.has(name))],
    client: { ...loaded.config.client, connect }
  }
  return { ...loaded, config: config as ResolvedConfig }
}

/** The configuration with the server of a join string in place of its own, which may be missing. */
const joined = async (inspected: InspectedConfig, join: string): Promise<LoadedConfig> => {
  throwOthers(inspected, /^client\.connect\b/)
  const { errors: _, ...loaded } = inspected
  const { transport, connect, token } = await targetOf({ cwd: loaded.dir, join, dial: [] })
  const extensions = withToken(loaded.config.extensions, token)
  const listed = new Set(extensions.map(packageOf))
  const packages = await packagesFor(loaded.dir, `transport:${transport}`)
  const client = { ...loaded.config.client, connect }
  const config = {
    ...loaded.config,
    extensions: [...extensions, ...packages.filter((name) => !listed.has(name))],
    client
  }
  return { ...loaded, config: config as ResolvedConfig }
}
