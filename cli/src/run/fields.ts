import { RystraError } from '@rystra/model'

/** A value as it is written: numbers and booleans are understood as such, and `[a, b]` as a list. */
const parseValue = (text: string): unknown => {
  if (/^(?:true|false)$/.test(text)) return text === 'true'
  if (/^-?\d{1,15}$/.test(text)) return Number(text)
  const list = /^\[(.*)\]$/s.exec(text)?.[1]?.trim()
  if (list === undefined) return text
  return list === '' ? [] : list.split(',').map((item) => parseValue(item.trim().replace(/^(["'])(.*)\1$/s, '$2')))
}

/**
 * Reads `field=value`, of a flag that may be given often. A field that is given again is a list of all its values.
 * @param reserved fields that something else says
 * Throws `usage.invalid`.
 */
export const fieldPairs = (
  pairs: readonly string[],
  flag: string,
  what: string,
  reserved: readonly string[]
): Record<string, unknown> => {
  const fields = new Map<string, unknown>()
  for (const pair of pairs) {
    const [, field = '', text = ''] = /^([A-Za-z_][\w-]*)=(.*)$/s.exec(pair) ?? []
    if (field === '' || [...reserved, '__proto__'].includes(field)) {
      throw new RystraError('usage.invalid', {
        detail: `${flag}: expected field=value of the ${what}, got ${JSON.stringify(pair.slice(0, 80))}`
      })
    }
    const value = parseValue(text)
    fields.set(field, fields.has(field) ? [fields.get(field), value].flat() : value)
  }
  return Object.fromEntries(fields)
}
