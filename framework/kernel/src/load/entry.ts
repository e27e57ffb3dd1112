/** What a package.json says, as far as it matters here. */
export interface Manifest {
  readonly name?: string
  readonly version?: string
  readonly main?: string
  readonly exports?: unknown
  readonly engines?: { readonly node?: string }
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** The conditions that Node was started with (`--conditions`, `-C`), which an import of ours has to honour as well. */
const givenConditions = (): string[] => {
  const words = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? '').split(/\s+/)]
  return words.flatMap((word, index) => {
    const [, joined] = /^(?:--conditions|-C)=(.+)$/.exec(word) ?? []
    if (joined !== undefined) return [joined]
    return word === '--conditions' || word === '-C' ? (words[index + 1] ?? []) : []
  })
}

type Conditions = ReadonlySet<string>

/** The first target whose condition holds, in the order in which the package names them. `null` forbids. */
const choose = (target: unknown, conditions: Conditions): string | null | undefined => {
  if (typeof target === 'string' || target === null) return target
  if (Array.isArray(target)) {
    for (const item of target) {
      const found = choose(item, conditions)
      if (typeof found === 'string') return found
    }
    return undefined
  }
  if (typeof target !== 'object') return undefined
  for (const [condition, value] of Object.entries(target as object)) {
    if (condition !== 'default' && !conditions.has(condition)) continue
    const found = choose(value, conditions)
    if (found !== undefined) return found
  }
  return undefined
}

const subpathsOf = (exports: unknown): Record<string, unknown> => {
  const isMap =
    typeof exports === 'object' &&
    exports !== null &&
    !Array.isArray(exports) &&
    Object.keys(exports).some((key) => key.startsWith('.'))
  return isMap ? (exports as Record<string, unknown>) : { '.': exports }
}

/** The target of a pattern such as `./hooks/*`: the one with the longest part before the star wins. */
const match = (subpaths: Record<string, unknown>, subpath: string, conditions: Conditions): string | undefined => {
  const patterns = Object.keys(subpaths).flatMap((key) => {
    const [before = '', after] = key.split('*')
    return after === undefined ? [] : [{ key, before, after }]
  })
  patterns.sort((a, b) => b.before.length - a.before.length)
  for (const { key, before, after } of patterns) {
    const star = subpath.slice(before.length, subpath.length - after.length)
    if (star === '' || !subpath.startsWith(before) || !subpath.endsWith(after)) continue
    return choose(subpaths[key], conditions)?.replaceAll('*', star)
  }
  return undefined
}

/**
 * The file, relative to the package, that `import` of a package gives: as Node does it, `exports` before `main`.
 * Node 20 cannot be asked for this itself: `import.meta.resolve` takes no other parent there, and `require.resolve`
 * does not see what a package offers to `import` alone.
 *
 * @param subpath `.`, or `./hooks/acl`
 * @returns `undefined` when the package does not offer it
 */
export const entryOf = (manifest: Manifest, subpath = '.'): string | undefined => {
  const conditions = new Set(['node', 'import', 'module-sync', ...givenConditions()])
  if (manifest.exports === undefined || manifest.exports === null) {
    return subpath === '.' ? (manifest.main ?? './index.js') : subpath
  }
  const subpaths = subpathsOf(manifest.exports)
  if (subpath.includes('*')) return undefined
  const exact = Object.hasOwn(subpaths, subpath)
  const target = exact ? choose(subpaths[subpath], conditions) : match(subpaths, subpath, conditions)
  const inside = target?.startsWith('./') === true && !target.split('/').includes('..')
  return inside ? target : undefined
}
