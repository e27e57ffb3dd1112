import { loadConfig } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { runClient } from './client.js'

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
  const { config, dir, path } = await loadConfig({ cwd, ...(file === undefined ? {} : { file }) })
  const { client } = config
  if (client === undefined) {
    throw new RystraError('config.invalid', {
      side: 'client',
      detail: `${path} has no \`client\``,
      hint: 'add it, or run `rystra serve` for the server; without a configuration, use `rystra expose`'
    })
  }
  const reconnect = retry ? client.reconnect : { ...client.reconnect, attempts: 0 }
  await runClient({
    config: { ...config, client: { ...client, reconnect } },
    dir,
    path,
    json,
    debug,
    brief: true,
    patient: retry
  })
}
