import { isPlain, isSecretName, redact } from './redact.js'

/** The parts of a JSON Schema that say where a value has secrets. */
export interface MarkedSchema {
  /** `true`: the value is a secret, whatever its name. `false`: it is no secret, although its name sounds like one. @default by its name */
  readonly secret?: unknown
  readonly properties?: unknown
  readonly patternProperties?: unknown
  readonly additionalProperties?: unknown
  readonly items?: unknown
  readonly anyOf?: unknown
  readonly allOf?: unknown
  readonly oneOf?: unknown
  readonly [keyword: string]: unknown
}

const isSchema = (value: unknown): value is MarkedSchema => typeof value === 'object' && value !== null

/** Every schema of a union or intersection: what one of them calls a secret is one. */
const partsOf = (schema: MarkedSchema, depth = 0): MarkedSchema[] => {
  const parts = [schema.anyOf, schema.allOf, schema.oneOf].flatMap((list) => (Array.isArray(list) ? list : []))
  return depth > 8 ? [schema] : [schema, ...parts.filter(isSchema).flatMap((part) => partsOf(part, depth + 1))]
}

const fieldOf = (schema: MarkedSchema, name: string): MarkedSchema[] => {
  const { properties, patternProperties, additionalProperties } = schema
  const own = isPlain(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined
  if (isSchema(own)) return partsOf(own)
  const patterns = isPlain(patternProperties) ? Object.values(patternProperties) : []
  return [...patterns, additionalProperties].filter(isSchema).flatMap((part) => partsOf(part))
}

const itemsOf = ({ items }: MarkedSchema, index: number): MarkedSchema[] => {
  const item: unknown = Array.isArray(items) ? items[index] : items
  return isSchema(item) ? partsOf(item) : []
}

const isMarked = (schemas: readonly MarkedSchema[], secret: boolean): boolean =>
  schemas.some((schema) => schema.secret === secret)

/**
 * A copy for people to see, as {@link redact} makes it, without what the schema marks as secret. A field that the schema
 * does not mark goes by its name.
 */
export const redactBy = (schema: MarkedSchema | undefined, value: unknown): unknown =>
  redactParts(schema === undefined ? [] : partsOf(schema), value, 0)

const redactParts = (schemas: readonly MarkedSchema[], value: unknown, depth: number): unknown => {
  if (isMarked(schemas, true)) return redact(value, true)
  if (depth > 16) return '[…]'
  if (Array.isArray(value) && schemas.length > 0) {
    // A field as name and value, such as one of HTTP.
    if (value.length === 2 && typeof value[0] === 'string' && isSecretName(value[0])) return redact(value)
    return value.map((item, index) => {
      const items = schemas.flatMap((one) => itemsOf(one, index))
      return redactParts(items, item, depth + 1)
    })
  }
  if (!isPlain(value) || schemas.length === 0) return redact(value)
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      const fields = schemas.flatMap((one) => fieldOf(one, name))
      if (isSecretName(name) && !isMarked(fields, false)) return [name, redact(item, true)]
      return [name, redactParts(fields, item, depth + 1)]
    })
  )
}

/** Whether the value at a path of names and indices is a secret: marked so, or by a name without a mark. */
export const isSecretAt = (schema: MarkedSchema | undefined, path: readonly string[]): boolean => {
  let schemas = schema === undefined ? [] : partsOf(schema)
  for (const step of path) {
    const fields = schemas.flatMap((one) => [...fieldOf(one, step), ...(/^\d+$/.test(step) ? itemsOf(one, +step) : [])])
    if (isMarked(fields, true) || (isSecretName(step) && !isMarked(fields, false))) return true
    schemas = fields
  }
  return false
}

/** Texts shorter than this are not looked for in logs: they are parts of other words. */
const MIN_SECRET = 8

/** The texts of a value that its schema marks as secret, for a log that leaves them out. At most 256. */
export const secretTexts = (schema: MarkedSchema | undefined, value: unknown): string[] => {
  const found = new Set<string>()
  const collect = (schemas: readonly MarkedSchema[], item: unknown, secret: boolean, depth: number): void => {
    const marked = secret || isMarked(schemas, true)
    if (depth > 16 || found.size >= 256) return
    if (typeof item === 'string') {
      if (marked && item.length >= MIN_SECRET) found.add(item)
    } else if (Array.isArray(item))
      for (const [index, one] of item.entries()) {
        const items = schemas.flatMap((part) => itemsOf(part, index))
        collect(items, one, marked, depth + 1)
      }
    else if (isPlain(item))
      for (const [name, one] of Object.entries(item)) {
        const fields = schemas.flatMap((part) => fieldOf(part, name))
        collect(fields, one, marked, depth + 1)
      }
  }
  collect(schema === undefined ? [] : partsOf(schema), value, false, 0)
  return [...found]
}
