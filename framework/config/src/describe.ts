import { Kind, type TSchema } from '@sinclair/typebox'

const bounds = (least: unknown, most: unknown, unit = ''): string => {
  if (least !== undefined && most !== undefined) return ` from ${least} to ${most}${unit}`
  if (least !== undefined) return ` of at least ${least}${unit}`
  return most === undefined ? '' : ` of at most ${most}${unit}`
}

/** What a schema wants, in words: `a whole number from 1 to 65535`. */
export const describe = (schema: TSchema): string => {
  switch (schema[Kind]) {
    case 'Literal':
      return JSON.stringify(schema.const)
    case 'Union':
      return oneOf((schema.anyOf as TSchema[]).map(describe))
    case 'String': {
      const { minLength, maxLength, format, pattern, title } = schema
      if (pattern !== undefined && title !== undefined) return title
      const what = format === undefined ? 'text' : `text of the form ${format}`
      return `${what}${bounds(minLength, maxLength, ' characters')}${pattern === undefined ? '' : ` matching ${pattern}`}`
    }
    case 'Integer':
      return `a whole number${bounds(schema.minimum, schema.maximum)}`
    case 'Number':
      return `a number${bounds(schema.minimum, schema.maximum)}`
    case 'Boolean':
      return 'true or false'
    case 'Array':
      return `a list${bounds(schema.minItems, schema.maxItems, ' entries')}${schema.uniqueItems === true ? ', each once' : ''}`
    case 'Object': {
      const fields = Object.keys(schema.properties as object)
      return fields.length === 0 ? 'an object without keys' : `an object with ${fields.join(', ')}`
    }
    case 'Record':
    case 'Intersect':
      return 'an object'
    case 'Null':
      return 'null'
    default:
      return schema.title ?? schema.description ?? (typeof schema.type === 'string' ? schema.type : 'another value')
  }
}

const oneOf = (words: string[]): string => {
  const all = [...new Set(words)]
  return all.length < 2 ? (all[0] ?? 'nothing') : `${all.slice(0, -1).join(', ')} or ${all.at(-1)}`
}
