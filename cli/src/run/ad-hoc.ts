import type { RystraConfig } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { parseServerAddress } from '../address.js'
import { packagesFor } from './convention.js'
import { fieldPairs } from './fields.js'
import { givenToken, tokenEntry } from './token.js'

/** How a client without a configuration reaches its server. */
export interface AdHocOptions {
  readonly cwd: string
  readonly to: string
  readonly token?: string | undefined
  readonly muxer?: string | undefined
  /** Fields of the transport: `pin=sha256:…`. */
  readonly dial: readonly string[]
  readonly retry: boolean
}

/** The fields of the transport in `--dial`. Throws `usage.invalid`. */
export const dialFields = (pairs: readonly string[]): Record<string, unknown> =>
  fieldPairs(pairs, '--dial', 'transport', ['transport', 'host', 'port', 'muxer'])

/**
 * The configuration of a client that does one thing, with extensions for what it needs: `kind:tcp`. Throws
 * `usage.invalid`, and `registry.unknown` for what is not installed.
 */
export const adHocConfig = async (
  { cwd, to, token: written, muxer, dial, retry }: AdHocOptions,
  needs: string,
  work: Pick<NonNullable<RystraConfig['client']>, 'proxies' | 'visitors'>
): Promise<RystraConfig> => {
  const server = parseServerAddress(to)
  const token = givenToken(written)
  if (token === undefined) {
    throw new RystraError('usage.invalid', {
      side: 'client',
      detail: '--token is missing',
      hint: '`rystra serve` prints it; give it with --token, or in the environment as RYSTRA_TOKEN'
    })
  }
  const all = [`transport:${server.transport}`, needs, ...(muxer === undefined ? [] : [`muxer:${muxer}`])]
  return {
    extensions: [tokenEntry(token), ...(await packagesFor(cwd, ...all))],
    client: {
      // A name for this process alone: two of them on one machine are two clients, and neither replaces the other.
      id: `${
        hostname()
          .replaceAll(/[^\w.-]+/g, '-')
          .slice(0, 64) || 'client'
      }-${randomBytes(4).toString('hex')}`,
      connect: { ...server, ...(muxer === undefined ? {} : { muxer }), ...dialFields(dial) },
      ...work,
      ...(retry ? {} : { reconnect: { attempts: 0 } })
    }
  }
}

/** The secret given, or that of the environment, as a field of an entry. Throws `usage.invalid` for one that is empty. */
export const secretField = (flag: string | undefined, env: NodeJS.ProcessEnv = process.env): { secret?: string } => {
  const secret = flag ?? (env['RYSTRA_SECRET'] === '' ? undefined : env['RYSTRA_SECRET'])
  if (secret === undefined) return {}
  if (secret.length > 0 && secret.length <= 1024) return { secret }
  throw new RystraError('usage.invalid', { detail: `--secret: expected 1 to 1024 characters, got ${secret.length}` })
}
