import { loadConfig, type ResolvedConfig } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { runClient } from './client.js'
import { StopSignals } from './stop-signals.js'

/** What `connect` is told. */
export interface ConnectOptions {
  readonly cwd: string
  readonly config?: string | undefined
  readonly retry: boolean
  readonly json: boolean
  readonly debug: boolean
}

/** Runs the client of a configuration until it is told to stop. */
export const connect = async ({ cwd, config: file, retry, json, debug }: ConnectOptions): Promise<void> => {
  const signals = new StopSignals()
  const { config, dir, path, warnings } = await loadConfig({ cwd, ...(file === undefined ? {} : { file }) })
  await runClient({
    config: clientOf(config, path, retry),
    dir,
    path,
    json,
    debug,
    warnings,
    patient: retry,
    signals,
    reload: async () => clientOf((await loadConfig({ file: path })).config, path, retry)
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
