import { Kind, OptionalKind, type TSchema, Value } from '@rystra/model/schema'
import { describe, nearest } from '@rystra/kernel'
import { carryVariables, isFromVariable, isPlain } from './plain.js'
import { type Problem, at, nothing, show, unknownKey } from './problem.js'
import { expectedKey, resolveKey } from './schema.js'

type Resolve = (value: unknown) => unknown
type Fields = Record<string, TSchema>

/** What {@link check} needs besides. */
export interface CheckOptions {
  /** Keys at the top that are checked elsewhere. */
  readonly alsoKnown?: readonly string[]
}

/**
 * Checks a value against a schema and returns a copy with defaults filled in; what is wrong is added to `problems`.
 * Unlike TypeBox it refuses keys that an object does not list, unless the schema allows them in so many words.
 */
export const check = (
  schema: TSchema,
  value: unknown,
  path: string,
  problems: Problem[],
  options: CheckOptions = {}
): unknown => {
  const wrong = (expected = expectedOf(schema), hint?: string): unknown => {
    problems.push({ path, value: show(value, path, schema.secret), expected, ...(hint === undefined ? {} : { hint }) })
    return undefined
  }
  const resolve = (schema as { [resolveKey]?: Resolve })[resolveKey]
  if (resolve !== undefined) {
    try {
      return resolve(value)
    } catch (error) {
      return wrong(String((error as Error).message).replace(/^expected /, ''))
    }
  }
  switch (schema[Kind]) {
    case 'Object':
      return isPlain(value) ? checkObject(schema, value, path, problems, options.alsoKnown ?? []) : wrong()
    case 'Record':
      return isPlain(value) ? checkRecord(schema, value, path, problems) : wrong()
    case 'Array': {
      if (!Array.isArray(value)) return wrong()
      const before = problems.length
      const list: unknown[] = []
      for (const [i, item] of value.entries())
        list.push(check(schema.items, typed(schema.items, value, i, item), at(path, i), problems))
      return problems.length === before && !holds(schema, list) ? wrong() : list
    }
    case 'Intersect':
      return checkIntersection(schema, value, path, problems, options)
    case 'Union':
      return checkUnion(schema, value, path, problems, options)
    default:
      if (holds(schema, value)) return value
      return wrong()
  }
}

const expectedOf = (schema: TSchema): string => (schema as { [expectedKey]?: string })[expectedKey] ?? describe(schema)

/** A schema with references that cannot be followed, for example, throws: then the value counts as wrong. */
const holds = (schema: TSchema, value: unknown): boolean => {
  try {
    // Lists of values that are resolved already would fail against what may be written.
    const shell = schema[Kind] === 'Array' ? { ...schema, items: { [Kind]: 'Any' } as TSchema } : schema
    return Value.Check(shell, value)
  } catch {
    return false
  }
}

/** Text of a variable, as the number or boolean that is expected. */
const typed = (schema: TSchema, parent: object, key: string | number, value: unknown): unknown => {
  if (typeof value !== 'string' || !isFromVariable(parent, key)) return value
  const wanted = [schema, ...((schema.anyOf as TSchema[] | undefined) ?? [])].map(({ type }) => type)
  if ((wanted.includes('integer') || wanted.includes('number')) && /^-?(0|[1-9]\d{0,15})(\.\d+)?$/.test(value))
    return Number(value)
  if (wanted.includes('boolean') && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

const checkObject = (
  schema: TSchema,
  value: Record<string, unknown>,
  path: string,
  problems: Problem[],
  alsoKnown: readonly string[]
): Record<string, unknown> => {
  const fields = schema.properties as Fields
  const others = schema.additionalProperties as TSchema | boolean | undefined
  const known = [...Object.keys(fields), ...alsoKnown]
  const result: Record<string, unknown> = {}
  carryVariables(value, result)
  for (const [key, field] of Object.entries(fields)) {
    const written = Object.hasOwn(value, key) ? value[key] : undefined
    const found = written === undefined ? structuredClone(field.default) : typed(field, value, key, written)
    if (found !== undefined) result[key] = check(field, found, at(path, key), problems)
    else if (field[OptionalKind] === undefined)
      problems.push({ path: at(path, key), value: nothing, expected: expectedOf(field) })
  }
  for (const key of Object.keys(value)) {
    if (known.includes(key) || value[key] === undefined) continue
    if (others === true) result[key] = value[key]
    else if (typeof others === 'object')
      result[key] = check(others, typed(others, value, key, value[key]), at(path, key), problems)
    else problems.push(unknown(key, path, known))
  }
  return result
}

const unknown = (key: string, path: string, known: readonly string[]): Problem => {
  const meant = nearest(key, known)
  const expected = known.length === 0 ? 'no keys' : `${known.length > 1 ? 'one of ' : ''}${known.join(', ')}`
  return {
    path: at(path, key),
    value: unknownKey,
    expected,
    ...(meant === undefined ? {} : { hint: `did you mean ${meant}?` })
  }
}

const checkRecord = (schema: TSchema, value: Record<string, unknown>, path: string, problems: Problem[]): unknown => {
  const patterns = Object.entries(schema.patternProperties as Fields)
  const result: Record<string, unknown> = {}
  carryVariables(value, result)
  for (const [key, item] of Object.entries(value)) {
    const field = patterns.find(([pattern]) => new RegExp(pattern).test(key))?.[1]
    if (field !== undefined) result[key] = check(field, typed(field, value, key, item), at(path, key), problems)
    else
      problems.push({
        path: at(path, key),
        value: unknownKey,
        expected: schema.title ?? schema.description ?? 'keys of another form'
      })
  }
  return result
}

/** Names of the fields that a schema lists. */
export const fieldsOf = (schema: TSchema): string[] =>
  schema[Kind] === 'Object'
    ? Object.keys(schema.properties as object)
    : [...((schema.allOf ?? schema.anyOf ?? []) as TSchema[])].flatMap(fieldsOf)

/** All at once when they are objects: each alone would refuse the others' keys. */
const checkIntersection = (
  schema: TSchema,
  value: unknown,
  path: string,
  problems: Problem[],
  options: CheckOptions
): unknown => {
  const parts = schema.allOf as TSchema[]
  if (!parts.every((part) => part[Kind] === 'Object')) {
    const known = (part: TSchema): string[] => parts.filter((other) => other !== part).flatMap(fieldsOf)
    const results = parts.map((part) =>
      check(part, value, path, problems, { alsoKnown: [...(options.alsoKnown ?? []), ...known(part)] })
    )
    return results.every(isPlain) ? Object.assign({}, ...results) : results[0]
  }
  const merged = {
    ...parts[0],
    properties: Object.assign({}, ...parts.map((part) => part.properties)),
    additionalProperties: parts.find((part) => part.additionalProperties !== undefined)?.additionalProperties
  } as unknown as TSchema
  return check(merged, value, path, problems, options)
}

const checkUnion = (
  schema: TSchema,
  value: unknown,
  path: string,
  problems: Problem[],
  options: CheckOptions
): unknown => {
  const branches = (schema.anyOf as TSchema[]).map((branch) => {
    const found: Problem[] = []
    return { branch, found, result: check(branch, value, path, found, options) }
  })
  const fits = branches.find(({ found }) => found.length === 0)
  if (fits !== undefined) return fits.result
  // The branch that got furthest in is the one that was meant: its problems are deeper than "wrong altogether".
  const near = branches.filter(({ found }) => found.every((problem) => problem.path !== path))
  const meant = near.toSorted((a, b) => a.found.length - b.found.length)[0]
  if (meant !== undefined) {
    problems.push(...meant.found)
    return undefined
  }
  const words = branches.map(({ branch }) => branch.const).filter((word) => typeof word === 'string')
  const guess = typeof value === 'string' ? nearest(value, words) : undefined
  problems.push({
    path,
    value: show(value, path, schema.secret),
    expected: expectedOf(schema),
    ...(guess === undefined ? {} : { hint: `did you mean ${guess}?` })
  })
  return undefined
}
