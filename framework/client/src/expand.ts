import { type ProxySpec, RystraError } from '@rystra/model'
import type { Registries } from '@rystra/plugin'

/** A proxy, and the name of the entry that it came from. */
export interface Expanded {
  readonly spec: ProxySpec
  readonly entry: string
}

/**
 * What the kinds make of entries: a range of ports is several proxies. Throws `proxy.*` when one cannot be, or when two
 * have one name.
 */
export const expand = (entries: readonly ProxySpec[], { proxies }: Registries): Expanded[] => {
  const names = new Set<string>()
  return entries.flatMap((entry) => {
    if (!proxies.has(entry.kind)) {
      throw new RystraError('proxy.unknown-kind', {
        side: 'client',
        detail: `${entry.kind}; registered: ${proxies.list().join(', ')}`
      })
    }
    const specs = proxies.get(entry.kind).expand?.(entry) ?? [entry]
    for (const { name } of specs) {
      if (names.has(name)) throw new RystraError('proxy.name-taken', { side: 'client', detail: name })
      names.add(name)
    }
    return specs.map((spec) => ({ spec, entry: entry.name }))
  })
}
