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
  if (typeof schema.format === 'string') return `a text of the format ${schema.format}`
  if (typeof schema.pattern === 'string') return `a text that matches /${schema.pattern}/`
  return `a text${bounds(schema, 'minLength', 'maxLength', ' characters')}`
}

const number = (schema: TSchema, word: string): string => {
  const exclusive = bounds(schema, 'exclusiveMinimum', 'exclusiveMaximum')
  const multiple = schema.multipleOf === undefined ? '' : `, a multiple of ${schema.multipleOf}`
  return `${article(word)}${bounds(schema, 'minimum', 'maximum')}${exclusive === '' ? '' : `, exclusive,${exclusive}`}${multiple}`
}

const object = (schema: TSchema): string => {
  const names = Object.keys((schema.properties as object | undefined) ?? {})
  return names.length === 0 ? 'an object' : `an object with ${names.join(', ')}`
}

/** What a schema accepts, in words: `an integer from 0 to 23`. */
export const describe = (schema: TSchema, depth = 0): string => {
  if (depth > 4) return 'something else'
  if ('const' in schema) return JSON.stringify(schema.const)
  if (Array.isArray(schema.enum)) return listed(schema.enum.map((value) => JSON.stringify(value)))
  const choices = schema.anyOf ?? schema.oneOf
  if (Array.isArray(choices)) return listed(choices.map((choice) => describe(choice, depth + 1)))
  if (Array.isArray(schema.allOf)) return listed([object({ ...schema, properties: merged(schema.allOf) } as TSchema)])
  switch (schema.type) {
    case 'string':
      return text(schema)
    case 'integer':
    case 'number':
      return number(schema, schema.type)
    case 'boolean':
      return 'true or false'
    case 'null':
      return 'null'
    case 'array': {
      const items = schema.items as TSchema | undefined
      const size = bounds(schema, 'minItems', 'maxItems', ' items')
      return items === undefined || Array.isArray(items)
        ? `a list${size}`
        : `a list${size}, each ${describe(items, depth + 1)}`
    }
    case 'object':
      return object(schema)
    default:
      return typeof schema.type === 'string' ? article(schema.type) : 'something else'
  }
}

const merged = (parts: readonly TSchema[]): object =>
  Object.assign({}, ...parts.map((part) => (part.properties as object | undefined) ?? {}))
