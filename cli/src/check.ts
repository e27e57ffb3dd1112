import { ConfigError, type JsonSchema, jsonSchema, loadConfig, type Problem, type ResolvedConfig } from '@rystra/config'
import type { ExtensionEntry, Inspection } from '@rystra/kernel'
import { isRystraError, type Side } from '@rystra/model'
import { formatAddress } from './address.js'
import { type CertificateFinding, checkCertificates, refuseBroken } from './certs/configured.js'
import { planExtensions, type Provisioned, provisionSide, sidesOf } from './provision.js'

/** What was checked. */
export interface Checked {
  readonly config: string
  readonly valid: true
  readonly sides: readonly {
    readonly side: Side
    /** Names, in the order in which they are set up. */
    readonly extensions: readonly string[]
    readonly summary: string
  }[]
  /** What works now and will not for long: certificates that end within 30 days. */
  readonly warnings: readonly CertificateFinding[]
}

const namesOf = ({ extensions }: Inspection): string[] => extensions.map(({ name }) => name)

const summaryOf = ({ server, client }: ResolvedConfig, side: Side): string => {
  if (side === 'server') {
    const listen = server?.listen.map((entry) => `${entry.transport}://${formatAddress(entry)}`)
    return `listens on ${listen?.join(', ')}`
  }
  const proxies = client?.proxies.length ?? 0
  const to = client === undefined ? '' : `${client.connect.transport}://${formatAddress(client.connect)}`
  return `${proxies} ${proxies === 1 ? 'proxy' : 'proxies'} over ${to}`
}

const problemsOf = (error: unknown): readonly Problem[] | undefined =>
  isRystraError(error) && 'problems' in error ? (error.problems as readonly Problem[]) : undefined

/**
 * Checks a configuration and sets everything up for each role it has. Starts nothing. Rejects with `config.*`, with the
 * problems of all roles, with `extension.*`, or with `tls.files` for certificates that cannot be used.
 */
export const checkConfig = async (cwd: string, file?: string): Promise<Checked> => {
  const loaded = await loadConfig({ cwd, ...(file === undefined ? {} : { file }) })
  const { config, path, dir } = loaded
  if (config.server === undefined && config.client === undefined) {
    const problem = { path: '', value: 'neither server nor client', expected: 'server, or client, or both' }
    throw new ConfigError('config.invalid', [problem], path)
  }
  const uses = await planExtensions(config.extensions as ExtensionEntry[], dir)
  const halves: Provisioned[] = []
  const problems: Problem[] = []
  for (const side of sidesOf(config)) {
    try {
      halves.push(await provisionSide(loaded, uses, side))
    } catch (error) {
      const found = problemsOf(error)
      if (found === undefined || !(error instanceof ConfigError)) throw error
      problems.push(...found)
    }
  }
  if (problems.length > 0) throw new ConfigError('config.invalid', problems, path)
  const certificates = await checkCertificates(config, dir)
  refuseBroken(certificates)
  return {
    config: path,
    valid: true,
    sides: halves.map(({ side, inspection }) => ({
      side,
      extensions: namesOf(inspection),
      summary: summaryOf(config, side)
    })),
    warnings: certificates.warnings
  }
}

/** The JSON Schema of the whole, what is loaded here included; without a configuration, of what the preset makes. */
export const schemaOf = async (cwd: string, file?: string): Promise<JsonSchema> => {
  const loaded = await loadConfig({ cwd, ...(file === undefined ? {} : { file }) }).catch((error: unknown) => {
    if (file === undefined && isRystraError(error) && error.code === 'config.not-found') return undefined
    throw error
  })
  const entries = (loaded?.config.extensions ?? []) as ExtensionEntry[]
  const uses = await planExtensions(entries, loaded?.dir ?? cwd)
  const registries = []
  for (const side of ['server', 'client'] as const) {
    // The fields of what is registered count, not the values that are there now.
    const half = { config: loaded?.config ?? {}, dir: cwd } as Parameters<typeof provisionSide>[0]
    registries.push((await provisionSide(half, uses, side, false)).registries)
  }
  const described = uses.map(({ extension, written, from }) =>
    from === 'config' ? { use: written, extension } : extension
  )
  return jsonSchema(described, ...registries)
}
