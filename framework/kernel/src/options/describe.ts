import type { TSchema } from '@rystra/plugin'

const article = (word: string): string => (/^[aeio]/.test(word) ? `an ${word}` : `a ${word}`)

const bounds = (schema: TSchema, low: string, high: string, unit = ''): string => {
  const from = schema[low] as number | undefined
  const to = schema[high] as number | undefined
  if (from !== undefined && to !== undefined) return ` from ${from} to ${to}${unit}`
  if (from !== undefined) return ` of at least ${from}${unit}`
  return to === undefined ? '' : ` of at most ${to}${unit}`
}

const listed = (words: readonly string[]): string => {
  const unique = [...new Set(words)]
  return unique.length < 2 ? (unique[0] ?? 'nothing') : `${unique.slice(0, -1).join(', ')} or ${unique.at(-1)}`
}

const text = (schema: TSchema): string => {
  const { title, format, pattern, description } = schema as {
    [key in 'title' | 'format' | 'pattern' | 'description']?: string
  }
  if (pattern !== undefined && title !== undefined) return title
  const form = format === undefined ? '' : ` of the form ${format}`
  const size = bounds(schema, 'minLength', 'maxLength', ' characters')
  // A regular expression is for machines.
  if (pattern === undefined) return `text${form}${size}`
  return description === undefined ? `text of another form${size}` : `text${size}: ${description}`
}

const number = (schema: TSchema, word: string): string => {
  const exclusive = bounds(schema, 'exclusiveMinimum', 'exclusiveMaximum')
  const multiple = schema.multipleOf === undefined ? '' : `, a multiple of ${schema.multipleOf}`
  return `${word}${bounds(schema, 'minimum', 'maximum')}${exclusive === '' ? '' : `, exclusive,${exclusive}`}${multiple}`
}

/** Entries that are objects are reported by their own path. */
const list = (schema: TSchema, depth: number): string => {
  const items = schema.items as TSchema | undefined
  const each = items === undefined || Array.isArray(items) || items.type === 'object' ? '' : describe(items, depth + 1)
  const unique = schema.uniqueItems === true ? ', each once' : ''
  return `a list${bounds(schema, 'minItems', 'maxItems', ' entries')}${each === '' ? '' : `, each ${each}`}${unique}`
}

const object = (properties: object | undefined = {}): string => {
  const names = Object.keys(properties)
  return names.length === 0 ? 'an object' : `an object with ${names.join(', ')}`
}

/** What a schema accepts, in words: `a whole number from 0 to 23`. */
export const describe = (schema: TSchema, depth = 0): string => {
  if (depth > 4) return 'something else'
  if ('const' in schema) return JSON.stringify(schema.const)
  if (Array.isArray(schema.enum)) return listed(schema.enum.map((value) => JSON.stringify(value)))
  const choices = schema.anyOf ?? schema.oneOf
  if (Array.isArray(choices) && typeof schema.title === 'string') return schema.title
  if (Array.isArray(choices)) return listed(choices.map((choice) => describe(choice, depth + 1)))
  if (Array.isArray(schema.allOf)) return object(Object.assign({}, ...schema.allOf.map((part) => part.properties)))
  switch (schema.type) {
    case 'string':
      return text(schema)
    case 'integer':
      return number(schema, 'a whole number')
    case 'number':
      return number(schema, 'a number')
    case 'boolean':
      return 'true or false'
    case 'null':
      return 'null'
    case 'array':
      return list(schema, depth)
    case 'object':
      return object(schema.properties)
    default:
      return (
        schema.title ??
        schema.description ??
        (typeof schema.type === 'string' ? article(schema.type) : 'something else')
      )
  }
}
