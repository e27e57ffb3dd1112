import type { RystraConfig } from '@rystra/config'
import { RystraError } from '@rystra/model'
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { packagesFor } from './convention.js'
import { packageOf, type TargetOptions, targetOf } from './target.js'

/** How a client without a configuration reaches its server. */
export interface AdHocOptions extends TargetOptions {
  readonly muxer?: string | undefined
  readonly retry: boolean
}

/** A configuration, and where its relative paths start. */
export interface AdHoc {
  readonly config: RystraConfig
  readonly dir: string
}

/**
 * The configuration of a client that does one thing, with extensions for what it needs: `kind:tcp`. Throws
 * `usage.invalid`, and `registry.unknown` for what is not installed.
 */
export const adHocConfig = async (
  { muxer, retry, ...options }: AdHocOptions,
  needs: string,
  work: Pick<NonNullable<RystraConfig['client']>, 'proxies' | 'forwards'>
): Promise<AdHoc> => {
  const { transport, extensions, connect, dir = options.cwd } = await targetOf(options)
  const all = [`transport:${transport}`, needs, ...(muxer === undefined ? [] : [`muxer:${muxer}`])]
  const listed = new Set(extensions.map(packageOf))
  const packages = await packagesFor(options.cwd, ...all)
  const config: RystraConfig = {
    extensions: [...extensions, ...packages.filter((name) => !listed.has(name))],
    client: {
      // A name for this process alone: two of them on one machine are two clients, and neither replaces the other.
      id: `${
        hostname()
          .replaceAll(/[^\w.-]+/g, '-')
          .slice(0, 64) || 'client'
      }-${randomBytes(4).toString('hex')}`,
      connect: { ...connect, ...(muxer === undefined ? {} : { muxer }) },
      ...work,
      ...(retry ? {} : { reconnect: { attempts: 0 } })
    }
  }
  return { config, dir }
}

/** The secret given, or that of the environment, as a field of an entry. Throws `usage.invalid` for one that is empty. */
export const secretField = (flag: string | undefined, env: NodeJS.ProcessEnv = process.env): { secret?: string } => {
  const secret = flag ?? (env['RYSTRA_SECRET'] === '' ? undefined : env['RYSTRA_SECRET'])
  if (secret === undefined) return {}
  if (secret.length > 0 && secret.length <= 1024) return { secret }
  throw new RystraError('usage.invalid', { detail: `--secret: expected 1 to 1024 characters, got ${secret.length}` })
}
