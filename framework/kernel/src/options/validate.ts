import { isPlain, isSecretAt, redacted, RystraError, type TSchema } from '@rystra/plugin'
import { Value, type ValueError, ValueErrorType } from '@rystra/model/schema'
import { describe } from './describe.js'
import { strict } from './strict.js'
import { didYouMean } from './suggest.js'

/** One thing that is wrong with an extension's options. */
export interface OptionProblem {
  /** The instance, as it is named in the configuration. */
  readonly extension: string
  /** `options.tokens[0].identity`, for example. */
  readonly path: string
  /** What stands there, fit to be shown: secrets are left out, and what is no single value is named by its kind. */
  readonly value: string
  /** What should stand there. */
  readonly expected: string
}

/** `extension.options`, with everything that is wrong, of all extensions. */
export class OptionsError extends RystraError {
  readonly problems: readonly OptionProblem[]

  constructor(problems: readonly OptionProblem[]) {
    const lines = problems.map(
      ({ extension, path, value, expected }) => `${extension}: ${path} is ${value}, expected ${expected}`
    )
    super('extension.options', { detail: lines.join('; ') })
    this.problems = problems
  }
}

/** Plain data is copied, so that neither side can change the other's; anything else is passed as it is. */
export const clone = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(clone)
  if (!isPlain(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, clone(item)]))
}

const segmentsOf = (pointer: string): string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'))

const pathOf = (segments: readonly string[]): string =>
  segments.reduce((path, segment) => {
    if (/^\d+$/.test(segment)) return `${path}[${segment}]`
    return /^[\w-]+$/.test(segment) ? `${path}.${segment}` : `${path}[${JSON.stringify(segment)}]`
  }, 'options')

/** A value fit to be shown. At the root a text may be a secret in the wrong place; so may one under an unknown key. */
const show = (value: unknown, segments: readonly string[], schema: TSchema): string => {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'boolean') return String(value)
  if (isSecretAt(schema, segments)) return redacted
  if (segments.length === 0) return `a ${typeof value}`
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}

const problemOf = (extension: string, error: ValueError, schema: TSchema): OptionProblem => {
  const segments = segmentsOf(error.path)
  const unknownKey =
    error.type === ValueErrorType.ObjectAdditionalProperties ||
    error.type === ValueErrorType.IntersectUnevaluatedProperties
  if (!unknownKey) {
    return {
      extension,
      path: pathOf(segments),
      value: show(error.value, segments, schema),
      expected: describe(error.schema)
    }
  }
  const known = knownKeys(error.schema)
  const expected = known.length === 0 ? 'no options here' : `one of ${known.join(', ')}`
  const hint = didYouMean(segments.at(-1) ?? '', known)
  return { extension, path: pathOf(segments), value: 'not known', expected: `${expected}${hint}` }
}

const knownKeys = (schema: TSchema): string[] => {
  const own = isPlain(schema.properties) ? Object.keys(schema.properties) : []
  const parts = Array.isArray(schema.allOf) ? (schema.allOf as TSchema[]) : []
  return [...new Set([...own, ...parts.flatMap(knownKeys)])]
}

/** What validation gives: the options with defaults filled in, or what is wrong with them. */
export type Validated = { readonly options: unknown } | { readonly problems: readonly OptionProblem[] }

/** Checks options against the schema of their extension. Neither is changed. */
export const validateOptions = (extension: string, schema: TSchema, written: unknown): Validated => {
  const closed = strict(schema)
  const options = Value.Default(closed, clone(written ?? {}))
  if (Value.Check(closed, options)) return { options }
  const problems = new Map<string, OptionProblem>()
  for (const error of flatten(Value.Errors(closed, options))) {
    // A missing option is reported twice by TypeBox: that it is missing, and that nothing is not what it should be.
    if (!problems.has(error.path)) problems.set(error.path, problemOf(extension, ofMissing(error), closed))
  }
  return { problems: [...problems.values()] }
}

const kindOf = (value: unknown): string =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : Number.isInteger(value) ? 'integer' : typeof value

/**
 * Of a union that is not met, what is wrong with the one choice that was probably meant: the only one of the value's
 * own kind. "Expected an object or a text" would not help a user who misspelt a key of the object.
 */
function* flatten(errors: Iterable<ValueError>): Generator<ValueError> {
  for (const error of errors) {
    // What is wrong with an intersection was said of its parts already.
    if (error.type === ValueErrorType.Intersect) continue
    const choices = (error.type === ValueErrorType.Union ? error.schema.anyOf : []) as TSchema[]
    const kind = kindOf(error.value)
    const meant = choices.flatMap(({ type, const: literal }, index) =>
      type === kind && literal === undefined && (kind === 'object' || kind === 'array') ? [index] : []
    )
    const inner = meant.length === 1 ? error.errors[meant[0] ?? 0] : undefined
    if (inner === undefined) yield error
    else yield* flatten(inner)
  }
}

/** "Required property" carries the schema of the object; what is expected is the schema of the property. */
const ofMissing = (error: ValueError): ValueError => {
  if (error.type !== ValueErrorType.ObjectRequiredProperty) return error
  const properties = error.schema.properties as Record<string, TSchema> | undefined
  const schema = properties?.[segmentsOf(error.path).at(-1) ?? '']
  return schema === undefined ? error : { ...error, schema }
}
