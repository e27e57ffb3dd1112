import type { Extension } from '@rystra/plugin'
import { Kind, type TObject, type TSchema } from '@rystra/model/schema'
import { extensionSchema } from './entry.js'
import { type Registered, usualMuxer } from './registered.js'
import { resolveKey } from './schema.js'
import { configSchema, connectSchema, listenSchema, proxySchema, forwardSchema } from './types.js'
import { wholeVariable } from './variables.js'

/** A JSON Schema, or a part of one. */
export type JsonSchema = { [keyword: string]: unknown }

/** An extension, and the name under which the configuration uses it, if that is known. */
export type Described = Extension | { readonly use: string; readonly extension: Extension }

/**
 * JSON Schema of the whole configuration, for editors: draft-07, the one they understand best. The options of the given
 * extensions depend on `use`, the fields of listeners, of the connection and of proxies on the transport or kind they
 * name. Without registries these fields are open; with several (of both sides, for example) each one's names count.
 */
export const jsonSchema = (extensions: readonly Described[] = [], ...registries: readonly Registered[]): JsonSchema => {
  const root = toJson(configSchema, true)
  const listen = part(root, 'server', 'listen')
  const connect = part(root, 'client', 'connect')
  const [text, object] = extensionSchema.anyOf as [JsonSchema, JsonSchema]
  const options = extensions.length === 0 ? {} : { allOf: extensions.map(optionsOf) }
  part(root, 'extensions').items = { anyOf: [text, { ...object, ...options }] }
  if (registries.length > 0) {
    const muxers = registries.flatMap((registry) => registry.muxers.list())
    const dial = choice(connectSchema, 'transport', 'tcp', of(registries, 'transports', 'dialOptions'), muxers)
    listen.items = choice(listenSchema, 'transport', 'tcp', of(registries, 'transports', 'listenOptions'))
    Object.assign(connect, dial, { description: connect.description })
    part(root, 'client', 'proxies').items = choice(proxySchema, 'kind', undefined, of(registries, 'proxies', 'spec'))
    const visited = of(registries, 'proxies', 'visitor')
    for (const [kind, schema] of visited) if (schema === undefined) visited.delete(kind)
    const usual = visited.has('private') ? 'private' : undefined
    part(root, 'client', 'forwards').items = choice(forwardSchema, 'kind', usual, visited)
  }
  Object.assign(connect, { oneOf: ['host', 'servers', 'srv', 'discover'].map((way) => ({ required: [way] })) })
  return { $schema: 'http://json-schema.org/draft-07/schema#', title: 'Rystra configuration', ...root }
}

interface Part extends JsonSchema {
  properties?: Record<string, Part>
  items?: unknown
}

/** A field of a field. All that are asked for are in the schema of this package. */
const part = (root: Part, ...path: string[]): Part =>
  path.reduce((schema, key) => (schema.properties as Record<string, Part>)[key] as Part, root)

/** Schemas that registered things have, by name. The first registry that knows a name wins. */
const of = <Name extends 'transports' | 'proxies', Field extends string>(
  registries: readonly Registered[],
  name: Name,
  field: Field
): Map<string, TSchema | undefined> => {
  const schemas = new Map<string, TSchema | undefined>()
  for (const registry of registries)
    for (const key of registry[name].list())
      if (!schemas.has(key))
        schemas.set(key, (registry[name].get(key) as unknown as Record<Field, TSchema | undefined>)[field])
  return schemas
}

// biome-ignore lint/suspicious/noThenProperty: JSON Schema says so
const when = (condition: JsonSchema, consequence: JsonSchema): JsonSchema => ({ if: condition, then: consequence })

const literally = (text: string): string => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')

const optionsOf = (described: Described): JsonSchema => {
  const { use, extension } = typeof described === 'function' ? { use: undefined, extension: described } : described
  const { name, options } = extension.definition
  // A name alone fits '@rystra/auth-token', '@acme/auth-token' and './hooks/auth-token.ts'.
  const fits = use === undefined ? { pattern: `(^|[/-])${literally(name)}(\\.[cm]?[jt]s)?$` } : { const: use }
  const json: JsonSchema =
    options === undefined ? { type: 'object', additionalProperties: false } : toJson(options, false)
  const required = Array.isArray(json.required) && json.required.length > 0 ? { required: ['options'] } : {}
  return when({ properties: { use: fits }, required: ['use'] }, { properties: { options: json }, ...required })
}

/** An entry whose other fields depend on what one field names. Draft-07 needs the whole object in each branch. */
const choice = (
  common: TObject,
  field: string,
  usual: string | undefined,
  schemas: ReadonlyMap<string, TSchema | undefined>,
  muxers?: readonly string[]
): JsonSchema => {
  const base = toJson(common, true) as Part
  const names = [...schemas.keys()]
  const properties: Record<string, JsonSchema> = { ...base.properties }
  if (names.length > 0)
    properties[field] = { ...properties[field], anyOf: [{ enum: names }, { type: 'string', pattern: '\\$\\{' }] }
  if (muxers !== undefined && muxers.length > 0) {
    const standard = muxers.includes(usualMuxer) ? usualMuxer : muxers[0]
    properties.muxer = {
      ...properties.muxer,
      anyOf: [{ enum: muxers }, { type: 'string', pattern: '\\$\\{' }],
      default: standard
    }
  }
  const branch = ([name, schema]: [string, TSchema | undefined]): JsonSchema =>
    when(
      { properties: { [field]: { const: name } }, ...(name === usual ? {} : { required: [field] }) },
      withAdded(properties, schema)
    )
  return { ...base, properties, ...(names.length === 0 ? {} : { allOf: [...schemas].map(branch) }) }
}

/** The fields of an entry in one object, in each alternative where there are several. */
const withAdded = (common: Record<string, JsonSchema>, schema: TSchema | undefined): JsonSchema => {
  if (schema?.[Kind] === 'Union') return { anyOf: (schema.anyOf as TSchema[]).map((part) => withAdded(common, part)) }
  const added: Part = schema === undefined ? { properties: {} } : toJson(schema, true)
  // Nothing that can be merged: let it describe its fields, and leave the strictness to the validation.
  if (added.properties === undefined) return loose(added)
  const { properties, required = [], additionalProperties = false } = added
  return { properties: { ...common, ...properties }, required, additionalProperties }
}

/** Without the refusal of further keys, which several schemas of one object would aim at each other's. */
const loose = (json: JsonSchema): JsonSchema => {
  const { additionalProperties, ...rest } = json
  const parts = ['allOf', 'anyOf'].filter((keyword) => Array.isArray(rest[keyword]))
  return {
    ...rest,
    ...(additionalProperties === undefined || additionalProperties === false ? {} : { additionalProperties }),
    ...Object.fromEntries(parts.map((keyword) => [keyword, (rest[keyword] as JsonSchema[]).map(loose)]))
  }
}

/** Wrapped in an alternative, since a variable may stand for it. */
const orVariable = (json: JsonSchema, pattern: string): JsonSchema => {
  const { description, default: standard, title, ...rest } = json
  const notes = Object.fromEntries(
    Object.entries({ title, description, default: standard }).filter(([, v]) => v !== undefined)
  )
  return { ...notes, anyOf: [rest, { type: 'string', pattern }] }
}

/**
 * A TypeBox schema as plain JSON: keys that are not listed are refused, what has a default is not required, variables may
 * stand for values; for numbers and booleans only where `numbers` says that they are read from text.
 */
const toJson = (schema: TSchema, numbers: boolean): Part => {
  const parts = schema[Kind] === 'Intersect' ? (schema.allOf as TSchema[]) : []
  if (parts.length > 0 && parts.every((part) => part[Kind] === 'Object')) return toJson(merge(parts), numbers)
  const json = mapSchemas(schema, (part) => toJson(part, numbers))
  if (parts.length > 0) return loose(json)
  if (schema[Kind] === 'Object') {
    const fields = schema.properties as Record<string, TSchema>
    const required = ((schema.required ?? []) as string[]).filter((key) => fields[key]?.default === undefined)
    return { ...json, required, additionalProperties: json.additionalProperties ?? false }
  }
  if (resolveKey in schema) return schema.type === 'array' ? json : orVariable(json, wholeVariable)
  const isNumber = schema.type === 'integer' || schema.type === 'number' || schema.type === 'boolean'
  if (isNumber) return numbers ? orVariable(json, wholeVariable) : json
  const isNarrow = ['pattern', 'format', 'minLength', 'maxLength'].some((keyword) => keyword in schema)
  const isWords =
    schema[Kind] === 'Union' && (schema.anyOf as TSchema[]).every((part) => typeof part.const === 'string')
  return (schema.type === 'string' && isNarrow) || isWords ? orVariable(json, '\\$\\{') : json
}

const merge = (parts: readonly TSchema[]): TSchema =>
  ({
    ...parts[0],
    properties: Object.assign({}, ...parts.map(({ properties }) => properties)),
    required: parts.flatMap(({ required }) => (required as string[] | undefined) ?? []),
    additionalProperties: parts.find(({ additionalProperties }) => additionalProperties !== undefined)
      ?.additionalProperties
  }) as unknown as TSchema

const lists = ['anyOf', 'allOf', 'oneOf']
const maps = ['properties', 'patternProperties']

/** Schemas within a schema, each put through `each`; the symbols of TypeBox are left behind. */
const mapSchemas = (schema: TSchema, each: (part: TSchema) => JsonSchema): Part => {
  const isSchema = (value: unknown): value is TSchema => typeof value === 'object' && value !== null && Kind in value
  const map = (keyword: string, value: unknown): unknown => {
    if (isSchema(value)) return each(value)
    if (lists.includes(keyword) || keyword === 'items')
      return Array.isArray(value) ? value.map((part) => (isSchema(part) ? each(part) : part)) : value
    if (!maps.includes(keyword)) return value
    return Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, isSchema(v) ? each(v) : v]))
  }
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([, value]) => value !== undefined && typeof value !== 'function')
      .map(([keyword, value]) => [keyword, map(keyword, value)])
  )
}
