import {
  ConfigError,
  type InspectedConfig,
  inspectConfig,
  type LoadedConfig,
  loadConfig,
  type ResolvedConfig
} from '@rystra/config'
import { RystraError } from '@rystra/model'
import { runClient } from './client.js'
import { packagesFor } from './convention.js'
import { StopSignals } from './stop-signals.js'
import { packageOf, targetOf, withToken } from './target.js'

/** What `connect` is told. */
export interface ConnectOptions {
  readonly cwd: string
  readonly config?: string | undefined
  readonly retry: boolean
  readonly join?: string | undefined
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
  admin,
  watch,
  json,
  debug
}: ConnectOptions): Promise<void> => {
  const signals = new StopSignals()
  const read = async (named: string | undefined): Promise<LoadedConfig> => {
    const options = { cwd, ...(named === undefined ? {} : { file: named }) }
    return join === undefined ? loadConfig(options) : joined(await inspectConfig(options), join)
  }
  const { config, dir, path, warnings } = await read(file)
  await runClient({
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

/** The configuration with the server of a join string in place of its own, which may be missing. */
const joined = async ({ errors, ...loaded }: InspectedConfig, join: string): Promise<LoadedConfig> => {
  for (const error of errors) {
    const others = error.problems.filter(({ path }) => !/^client\.connect\b/.test(path))
    if (others.length > 0 || error.problems.length === 0) throw new ConfigError(error.code, others, loaded.path)
  }
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
