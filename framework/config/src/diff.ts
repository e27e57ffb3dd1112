import { isDeepStrictEqual } from 'node:util'
import { isExtension } from '@rystra/plugin'
import type { ExtensionEntry } from '@rystra/plugin'
import { isPlain } from './plain.js'
import { at } from './problem.js'
import type { ResolvedConfig } from './types.js'

/** Names of what was added, changed, removed, and kept as it was. */
export interface Changes {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  readonly kept: readonly string[]
}

/** How two configurations differ. Holds names and paths only: no values, hence no secrets. */
export interface ConfigDiff {
  /** By `name`, or else by package, path or the name the extension gives itself. */
  readonly extensions: Changes
  /** Whether extensions that are in both come in another order: hooks run in that order. */
  readonly reordered: boolean
  /** By `transport host:port`. */
  readonly listen: Changes
  /** Whether `server.publish` changed. */
  readonly publish: boolean
  /** Whether `client.connect` or `client.id` changed: the client dials a new session. */
  readonly connect: boolean
  /** By name. */
  readonly proxies: Changes
  /** By name. */
  readonly forwards: Changes
  /** Paths of everything else that changed: `log.level`, `server.drain`. */
  readonly settings: readonly string[]
  /** Paths that differ within what changed, by section and name: `proxies web` → `['local']`. */
  readonly details: Readonly<Record<string, readonly string[]>>
  /** Whether nothing changed at all. */
  readonly same: boolean
}

/** What a reload from one configuration to another would change. Give both in the same state of validation. */
export const diffConfig = (before: ResolvedConfig, after: ResolvedConfig): ConfigDiff => {
  const [old, now] = [byKey(before.extensions, nameOf), byKey(after.extensions, nameOf)]
  const details: Record<string, readonly string[]> = {}
  const changes = (section: string, one: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): Changes =>
    changesOf(section, one, other, details)
  const extensions = changes('extensions', old, now)
  const common = (of: ReadonlyMap<string, unknown>, other: ReadonlyMap<string, unknown>): string[] =>
    [...of.keys()].filter((key) => other.has(key))
  const reordered = !isDeepStrictEqual(common(old, now), common(now, old))
  const listen = changes(
    'listen',
    byKey(before.server?.listen ?? [], addressOf),
    byKey(after.server?.listen ?? [], addressOf)
  )
  const publish = !isDeepStrictEqual(before.server?.publish, after.server?.publish)
  const dialing = ({ client }: ResolvedConfig): unknown => [client?.id, client?.connect]
  const connect = !isDeepStrictEqual(dialing(before), dialing(after))
  const proxies = changes(
    'proxies',
    byKey(before.client?.proxies ?? [], (p) => p.name),
    byKey(after.client?.proxies ?? [], (p) => p.name)
  )
  const forwards = changes(
    'forwards',
    byKey(before.client?.forwards ?? [], (v) => v.name),
    byKey(after.client?.forwards ?? [], (v) => v.name)
  )
  const settings = differences(rest(before), rest(after), '')
  const lists = [extensions, listen, proxies, forwards].every(
    (c) => c.added.length + c.changed.length + c.removed.length === 0
  )
  const same = lists && !reordered && !publish && !connect && settings.length === 0
  return { extensions, reordered, listen, publish, connect, proxies, forwards, settings, details, same }
}

const nameOf = (entry: ExtensionEntry): string => {
  if (typeof entry === 'string') return entry
  if (isExtension(entry)) return entry.definition.name
  if ('extension' in entry) return entry.extension.definition.name
  if (entry.name !== undefined) return entry.name
  return typeof entry.use === 'string' ? entry.use : entry.use.definition.name
}

const addressOf = (entry: { transport: string; host: string; port: number }): string =>
  `${entry.transport} ${entry.host}:${entry.port}`

/** The same key again gets a number, so that nothing is lost. */
const byKey = <Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, unknown> => {
  const map = new Map<string, unknown>()
  for (const item of items) {
    const key = keyOf(item)
    let free = key
    for (let n = 2; map.has(free); n++) free = `${key} #${n}`
    map.set(free, normal(item))
  }
  return map
}

/** `'x'`, `{ use: 'x' }` and `{ use: 'x', options: {} }` say the same. */
const normal = (item: unknown): unknown => {
  if (typeof item === 'string' || isExtension(item)) return { use: item, options: {} }
  if (!isPlain(item)) return item
  if ('extension' in item) return { use: item.extension, options: item.options ?? {} }
  return 'use' in item ? { ...item, options: item.options ?? {} } : item
}

const changesOf = (
  section: string,
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
  details: Record<string, readonly string[]>
): Changes => {
  const both = [...after.keys()].filter((key) => before.has(key))
  const changed = both.filter((key) => !isDeepStrictEqual(before.get(key), after.get(key)))
  for (const key of changed) details[`${section} ${key}`] = differences(before.get(key), after.get(key), '')
  return {
    added: [...after.keys()].filter((key) => !before.has(key)),
    changed,
    removed: [...before.keys()].filter((key) => !after.has(key)),
    kept: both.filter((key) => isDeepStrictEqual(before.get(key), after.get(key)))
  }
}

/** What the other fields of the diff do not cover. A half that is there in one only is one difference. */
const rest = ({ log, server, client }: ResolvedConfig): Record<string, unknown> => {
  const { listen: _, publish: __, ...serverRest } = server ?? {}
  const { id: ___, connect: ____, proxies: _____, forwards: ______, ...clientRest } = client ?? {}
  return {
    log,
    ...(server === undefined ? {} : { server: serverRest }),
    ...(client === undefined ? {} : { client: clientRest })
  }
}

const differences = (before: unknown, after: unknown, path: string): string[] => {
  if (Array.isArray(before) && Array.isArray(after)) return listDifferences(before, after, path)
  if (!isPlain(before) || !isPlain(after)) return isDeepStrictEqual(before, after) ? [] : [path]
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key) => differences(before[key], after[key], at(path, key)))
}

/** Entries that name themselves are compared by their name: a token that was removed changes no other one. */
const listDifferences = (before: readonly unknown[], after: readonly unknown[], path: string): string[] => {
  const named = (list: readonly unknown[]): Map<string, unknown> | undefined => {
    const names = list.map((item) => (isPlain(item) ? (item['name'] ?? item['identity'] ?? item['id']) : undefined))
    const known = names.every((name) => typeof name === 'string') && new Set(names).size === names.length
    return known ? new Map(names.map((name, i) => [name as string, list[i]])) : undefined
  }
  const [old, now] = [named(before), named(after)]
  if (old === undefined || now === undefined) return isDeepStrictEqual(before, after) ? [] : [path]
  const names = new Set([...old.keys(), ...now.keys()])
  return [...names].flatMap((name) => differences(old.get(name), now.get(name), `${path}[${name}]`))
}
