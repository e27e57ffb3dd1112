import type { Extension, ExtensionEntry, ExtensionUse } from '@rystra/plugin'
import type { KernelUse } from '../plan.js'
import { loadExtensions } from './load.js'
import type { LoadFrom } from './locate.js'

/** Loads what is listed, and what of `preset` is not: an extension that is listed comes instead of its namesake. */
export const loadWithPreset = async (
  entries: readonly ExtensionEntry[],
  from: LoadFrom,
  preset: readonly Extension[] = []
): Promise<KernelUse[]> => {
  const uses = await loadExtensions(entries, from)
  const names = new Set(uses.map(({ extension }) => extension.definition.name))
  const missing = preset.filter(({ definition }) => !names.has(definition.name))
  return [...missing.map((extension): ExtensionUse => extension()), ...uses]
}
