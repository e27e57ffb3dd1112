import type { TSchema } from '@rystra/plugin'
import { isPlain } from './redact.js'

const cache = new WeakMap<TSchema, TSchema>()

/**
 * A copy of a schema in which every object refuses unknown keys, at any depth, unless its author said otherwise.
 * The parts of an intersection stay open, since each would refuse the keys of the others; the whole is closed instead.
 */
export const strict = (schema: TSchema): TSchema => {
  let closed = cache.get(schema)
  if (closed === undefined) {
    closed = close(schema, true, new Map()) as TSchema
    cache.set(schema, closed)
  }
  return closed
}

/** Keywords whose values are data and not schemas. */
const data = new Set([
  'default',
  'const',
  'enum',
  'examples',
  'required',
  'description',
  'title',
  'pattern',
  '$id',
  '$ref'
])

const isObjectSchema = (node: Record<string, unknown>): boolean => node.type === 'object' && isPlain(node.properties)

const close = (node: unknown, shut: boolean, seen: Map<object, unknown>): unknown => {
  if (typeof node !== 'object' || node === null) return node
  const there = seen.get(node)
  if (there !== undefined) return there
  if (Array.isArray(node)) return node.map((item) => close(item, shut, seen))
  if (!isPlain(node)) return node
  const copy: Record<string | symbol, unknown> = {}
  seen.set(node, copy)
  const whole = Array.isArray(node.allOf)
  for (const key of Reflect.ownKeys(node)) {
    const value = node[key as string]
    if (typeof key === 'symbol' || data.has(key)) copy[key] = value
    else if (key === 'allOf') copy[key] = (value as unknown[]).map((part) => close(part, false, seen))
    else if ((key === 'properties' || key === 'patternProperties' || key === '$defs') && isPlain(value)) {
      copy[key] = Object.fromEntries(Object.entries(value).map(([name, part]) => [name, close(part, true, seen)]))
    } else copy[key] = close(value, key === 'anyOf' || key === 'oneOf' ? shut : true, seen)
  }
  if (shut && isObjectSchema(node) && node.additionalProperties === undefined) copy.additionalProperties = false
  if (shut && whole && node.unevaluatedProperties === undefined) copy.unevaluatedProperties = false
  return copy
}
