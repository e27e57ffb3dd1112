import { RystraError } from '@rystra/model'

const unquoted = (text: string): string => text.replace(/^(["'])(.*)\1$/s, '$2')

/** A value as it is written: numbers and booleans are understood as such, `[a, b]` as a list, `{…}` as JSON. */
const parseValue = (text: string): unknown => {
  if (/^(?:true|false)$/.test(text)) return text === 'true'
  if (/^-?\d{1,15}$/.test(text)) return Number(text)
  if (/^[[{]/.test(text)) {
    try {
      return JSON.parse(text) as unknown
    } catch {
      // A list without quotes, or text.
    }
  }
  const list = /^\[(.*)\]$/s.exec(text)?.[1]?.trim()
  if (list === undefined) return text
  return list === '' ? [] : list.split(',').map((item) => itemOf(item.trim()))
}

const itemOf = (text: string): unknown => (/^["']/.test(text) ? unquoted(text) : parseValue(text))

type Fields = Record<string, unknown>

/** `a.b` is the field b of the object a. A field that is given again is a list of all its values. */
const put = (fields: Fields, [key = '', ...deeper]: readonly string[], value: unknown): void => {
  const present = fields[key]
  if (deeper.length === 0) {
    fields[key] = Object.hasOwn(fields, key) ? [present, value].flat() : value
    return
  }
  const isObject = typeof present === 'object' && present !== null && !Array.isArray(present)
  const inner = isObject ? (present as Fields) : {}
  fields[key] = inner
  put(inner, deeper, value)
}

const path = /^([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*){0,7})=(.*)$/s

/**
 * Reads `field=value`, of a flag that may be given often.
 * @param reserved fields that something else says
 * Throws `usage.invalid`.
 */
export const fieldPairs = (
  pairs: readonly string[],
  flag: string,
  what: string,
  reserved: readonly string[]
): Record<string, unknown> => {
  const fields: Fields = {}
  for (const pair of pairs) {
    const [, field = '', text = ''] = path.exec(pair) ?? []
    const keys = field.split('.')
    if (reserved.includes(keys[0] ?? ''))
      throw new RystraError('usage.invalid', {
        detail: `${flag}: ${keys[0]} of the ${what} is given by an argument or a flag of its own`
      })
    if (field === '' || keys.includes('__proto__'))
      throw new RystraError('usage.invalid', {
        detail: `${flag}: expected field=value of the ${what}, such as idleTimeout=5m, got ${JSON.stringify(pair.slice(0, 80))}`
      })
    put(fields, keys, parseValue(text))
  }
  return fields
}
