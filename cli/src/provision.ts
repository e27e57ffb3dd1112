import { type LoadedConfig, type ResolvedConfig, validateWith } from '@rystra/config'
import {
  type ExtensionEntry,
  type Inspection,
  Kernel,
  type KernelUse,
  type ListeningExtension,
  loadExtensions
} from '@rystra/kernel'
import { type Registries, type Side, silentLog } from '@rystra/plugin'
import { loadPreset, presetPackages } from './preset.js'
import { readPackage } from './project/checkout.js'
import { packageResolver } from './project/resolver.js'

/** An extension that would be loaded, and what names it. */
export interface PlannedUse extends KernelUse {
  readonly from: 'config' | 'preset'
  /** As the configuration writes it. */
  readonly written: string
}

type Resolve = (name: string) => string | undefined

export const writtenAs = (entry: ExtensionEntry): string => {
  if (typeof entry === 'string') return entry
  if (typeof entry === 'object' && 'use' in entry && typeof entry.use === 'string') return entry.use
  return '(code)'
}

/** Loads what a configuration lists, and the preset before it. */
export const planExtensions = async (entries: readonly ExtensionEntry[], dir: string): Promise<PlannedUse[]> => {
  const resolve = await packageResolver(dir)
  const listed = await loadExtensions(entries, { dir, resolve })
  return withPreset(
    listed.map((use, i): PlannedUse => ({ ...use, from: 'config', written: writtenAs(entries[i] as ExtensionEntry) })),
    resolve
  )
}

/** Puts the preset before what a configuration lists. */
export const withPreset = async (listed: readonly PlannedUse[], resolve: Resolve): Promise<PlannedUse[]> => {
  const names = new Set(listed.map(({ extension }) => extension.definition.name))
  const preset = (await loadPreset()).flatMap((extension, i): PlannedUse[] => {
    if (names.has(extension.definition.name)) return []
    return [{ extension, options: {}, from: 'preset', written: presetPackages[i] ?? extension.definition.name }]
  })
  return [...(await Promise.all(preset.map((use) => withPackage(use, resolve(use.written))))), ...listed]
}

const withPackage = async (use: PlannedUse, dir: string | undefined): Promise<PlannedUse> => {
  const { name, version } = (dir === undefined ? undefined : await readPackage(dir)) ?? {}
  return name === undefined || version === undefined ? use : { ...use, package: { name, version } }
}

/** What one side looks like when everything is set up. */
export interface Provisioned {
  readonly side: Side
  readonly inspection: Inspection
  readonly registries: Registries
  /** TCP addresses that its extensions bind. */
  readonly listens: readonly ListeningExtension[]
}

/** The sides that a configuration has; both, where it has none. */
export const sidesOf = ({ server, client }: Pick<ResolvedConfig, 'server' | 'client'>): Side[] => {
  const sides: Side[] = [
    ...(server === undefined ? [] : ['server' as const]),
    ...(client === undefined ? [] : ['client' as const])
  ]
  return sides.length === 0 ? ['server', 'client'] : sides
}

/**
 * Sets everything up for one side, checks the configuration against what is registered, and takes it down again. Starts
 * nothing. Rejects with `extension.*`, `registry.*` or `config.invalid`.
 */
export const provisionSide = async (
  loaded: Pick<LoadedConfig, 'config' | 'dir'> & { readonly path?: string },
  uses: readonly KernelUse[],
  side: Side,
  check = true
): Promise<Provisioned> => {
  const kernel = new Kernel({ side, dir: loaded.dir, log: silentLog })
  try {
    await kernel.provision(uses)
    const { registries, listens } = kernel.current
    const origin = { dir: loaded.dir, ...(loaded.path === undefined ? {} : { file: loaded.path }) }
    if (check) validateWith(loaded.config, registries, side, origin)
    return { side, inspection: kernel.inspect(), registries, listens }
  } finally {
    await kernel.stop()
  }
}
