import {
  ConfigError,
  inspectConfig,
  inspectWith,
  type JsonSchema,
  jsonSchema,
  listenConflicts,
  loadConfig,
  type Problem,
  type ResolvedConfig
} from '@rystra/config'
import { type ExtensionEntry, type Inspection, loadExtensions, validateOptions } from '@rystra/kernel'
import { isRystraError, type Side } from '@rystra/model'
import type { ProxyKind, ProxySpec, Registries, TSchema } from '@rystra/plugin'
import { formatAddress } from './address.js'
import { type CertificateFinding, checkCertificates, refuseBroken } from './certs/configured.js'
import { Mistakes } from './mistakes.js'
import { checkNamedFiles } from './named-files.js'
import { packageResolver } from './project/resolver.js'
import { configuredName } from './run/server-name.js'
import {
  type PlannedUse,
  planExtensions,
  type Provisioned,
  provisionSide,
  sidesOf,
  withPreset,
  writtenAs
} from './provision.js'

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
  /** What works now and will not for long: certificates that end within 30 days; a `.env` that cannot be read. */
  readonly warnings: readonly (Partial<CertificateFinding> & { readonly text: string })[]
}

const namesOf = ({ extensions }: Inspection): string[] => extensions.map(({ name }) => name)

const summaryOf = ({ server, client }: ResolvedConfig, side: Side): string => {
  if (side === 'server') {
    const listen = server?.listen.map((entry) => `${entry.transport}://${entry.address ?? formatAddress(entry)}`)
    return `listens on ${listen?.join(', ')}`
  }
  const proxies = client?.proxies.length ?? 0
  const over = client === undefined ? '' : ` over ${configuredName(client.connect)}`
  return `${proxies} ${proxies === 1 ? 'proxy' : 'proxies'}${over}`
}

/**
 * Checks a configuration and sets everything up for each role it has. Starts nothing. Rejects with `config.*`,
 * `extension.*` or `tls.files`: with the one mistake there is, or with all mistakes of all kinds.
 */
export const checkConfig = async (cwd: string, file?: string): Promise<Checked> => {
  const loaded = await inspectConfig({ cwd, ...(file === undefined ? {} : { file }) })
  const { config, path, dir } = loaded
  const mistakes = new Mistakes(path, loaded.errors)
  if (mistakes.none && config.server === undefined && config.client === undefined) {
    const problem = { path: '', value: 'neither server nor client', expected: 'server, or client, or both' }
    throw new ConfigError('config.invalid', [problem], path)
  }
  const uses = await usable(config.extensions ?? [], dir, mistakes)
  const halves: Provisioned[] = []
  for (const side of sidesOf(config)) {
    const half = await provisionSide(loaded, uses, side, false).catch((error: unknown) => {
      // What a broken extension would have provided is missing to others: that is not their mistake.
      if (mistakes.none || !isRystraError(error) || error.code !== 'extension.requires') mistakes.add(error)
      return undefined
    })
    if (half === undefined) continue
    halves.push(half)
    mistakes.config(inspectWith(config, half.registries, side).problems)
    mistakes.config(listenConflicts(half.listens, config, side))
    if (side === 'client') mistakes.config(await filesOfProxies(config, half.registries, dir))
  }
  const certificates = await checkCertificates(config, dir)
  mistakes.attempt(() => refuseBroken(certificates))
  mistakes.throwAny()
  return {
    config: path,
    valid: true,
    sides: halves.map(({ side, inspection }) => ({
      side,
      extensions: namesOf(inspection),
      summary: summaryOf(config, side)
    })),
    warnings: [...[...loaded.warnings, ...adviceOf(uses, config)].map((text) => ({ text })), ...certificates.warnings]
  }
}

/** What extensions say of a configuration that is valid. */
const adviceOf = (uses: readonly PlannedUse[], { client }: ResolvedConfig): string[] => {
  const extensions = uses.map(({ extension, options }) => {
    const { name, options: schema } = extension.definition
    const validated = validateOptions(name, schema as TSchema, options)
    return { extension, name, options: 'options' in validated ? validated.options : undefined }
  })
  const config = {
    extensions: extensions.map(({ name, options }) => ({ name, options })),
    proxies: (client?.proxies ?? []) as readonly ProxySpec[]
  }
  return extensions.flatMap(({ extension, options }) => extension.definition.advise?.(options as never, config) ?? [])
}

/** What is wrong with files that entries of the client name. */
const filesOfProxies = async ({ client }: ResolvedConfig, { proxies }: Registries, dir: string): Promise<Problem[]> => {
  const check = (field: 'proxies' | 'forwards', schemaOf: (kind: ProxyKind) => unknown): Promise<Problem[]>[] =>
    (client?.[field] ?? []).map(async (entry, i) =>
      proxies.has(entry?.kind)
        ? checkNamedFiles(schemaOf(proxies.get(entry.kind)), entry, `client.${field}[${i}]`, dir)
        : []
    )
  const found = [...check('proxies', ({ spec }) => spec), ...check('forwards', ({ forward }) => forward)]
  return (await Promise.all(found)).flat()
}

/** The extensions that can be set up, with the preset; what is wrong with the others is added to `mistakes`. */
const usable = async (entries: readonly unknown[], dir: string, mistakes: Mistakes): Promise<PlannedUse[]> => {
  const resolve = await packageResolver(dir)
  const uses: PlannedUse[] = []
  for (const [i, entry] of (entries as readonly (ExtensionEntry | undefined)[]).entries()) {
    if (entry === undefined) continue
    const written = writtenAs(entry)
    const broken = (problems: readonly Problem[]): void => {
      mistakes.options(problems)
      mistakes.withhold(written)
    }
    try {
      const [use] = await loadExtensions([entry], { dir, resolve })
      if (use === undefined) continue
      const { definition } = use.extension
      const validated = validateOptions(definition.name, definition.options as TSchema, use.options)
      if ('problems' in validated)
        broken(
          validated.problems.map(({ path, value, expected }) => ({
            path: `extensions[${i}].${path}`,
            value: value === 'not known' ? 'an unknown key' : value,
            expected
          }))
        )
      else {
        uses.push({ ...use, from: 'config', written })
        const path = `extensions[${i}].options`
        mistakes.options(await checkNamedFiles(definition.options, validated.options, path, dir))
      }
    } catch (error) {
      mistakes.add(error, `extensions[${i}]`)
      mistakes.withhold(written)
    }
  }
  return withPreset(uses, resolve)
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
