import { isPlain, type TSchema, Type } from '@rystra/plugin'

const cache = new WeakMap<TSchema, TSchema>()

/**
 * A copy of a schema in which every object refuses unknown keys, at any depth, unless its author said otherwise.
 * The parts of an intersection stay open, since each would refuse the keys of the others; the whole is closed instead.
 */
export const strict = (schema: TSchema): TSchema => {
  let closed = cache.get(schema)
  if (closed === undefined) {
    closed = close(schema, true, { open: new Map(), shut: new Map() }) as TSchema
    cache.set(schema, closed)
  }
  return closed
}

/** Copies that were made already: a schema may be used in several places, and within itself. */
interface Seen {
  readonly open: Map<object, unknown>
  readonly shut: Map<object, unknown>
}

/** Keywords whose values are data, and `not`, which would refuse more when what it names accepts less. */
const untouched = new Set(['default', 'const', 'enum', 'examples', 'required', 'not'])

/** Keywords whose values are schemas by name. */
const named = new Set(['properties', 'patternProperties', '$defs', 'definitions'])

const close = (node: unknown, shut: boolean, seen: Seen): unknown => {
  if (Array.isArray(node)) return node.map((item) => close(item, shut, seen))
  if (!isPlain(node)) return node
  const copies = shut ? seen.shut : seen.open
  const there = copies.get(node)
  if (there !== undefined) return there
  const copy: Record<string | symbol, unknown> = {}
  copies.set(node, copy)
  for (const key of Reflect.ownKeys(node)) copy[key] = closeKeyword(key, node[key as string], shut, seen)
  if (!shut) return copy
  if (node.type === 'object' && isPlain(node.properties)) copy.additionalProperties ??= false
  if (Array.isArray(node.allOf) && node.unevaluatedProperties === undefined) shutWhole(node.allOf, copy)
  return copy
}

const closeKeyword = (key: string | symbol, value: unknown, shut: boolean, seen: Seen): unknown => {
  if (typeof key === 'symbol' || untouched.has(key)) return value
  if (named.has(key) && isPlain(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, close(part, true, seen)]))
  }
  if (key === 'allOf') return close(value, false, seen)
  return close(value, key === 'anyOf' || key === 'oneOf' ? shut : true, seen)
}

/** One more part that knows the keys of all parts, and no others. TypeBox's `unevaluatedProperties` loses those of unions. */
const shutWhole = (parts: readonly unknown[], copy: Record<string | symbol, unknown>): void => {
  const keys = keysOf(parts)
  if (keys === undefined) return
  const properties = Object.fromEntries(keys.map((key) => [key, Type.Optional(Type.Unknown())]))
  copy.allOf = [...(copy.allOf as unknown[]), Type.Object(properties, { additionalProperties: false })]
}

/** The keys that any of the parts knows; `undefined` when a part lets through keys that it does not name. */
const keysOf = (parts: readonly unknown[]): string[] | undefined => {
  const keys = new Set<string>()
  for (const part of parts) {
    if (!isPlain(part) || part.additionalProperties !== undefined || part.patternProperties !== undefined)
      return undefined
    const inner = part.allOf ?? part.anyOf ?? part.oneOf
    const own = Array.isArray(inner)
      ? keysOf(inner)
      : isPlain(part.properties)
        ? Object.keys(part.properties)
        : undefined
    if (own === undefined) return undefined
    for (const key of own) keys.add(key)
  }
  return [...keys]
}
