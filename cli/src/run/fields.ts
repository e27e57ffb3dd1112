import { RystraError } from '@rystra/model'

/**
 * Reads `field=value`, of a flag that may be given often; numbers and booleans are understood as such.
 * @param reserved fields that something else says
 * Throws `usage.invalid`.
 */
export const fieldPairs = (
  pairs: readonly string[],
  flag: string,
  what: string,
  reserved: readonly string[]
): Record<string, unknown> =>
  Object.fromEntries(
    pairs.map((pair) => {
      const match = /^([A-Za-z_][\w-]*)=(.*)$/s.exec(pair)
      if (match === null || [...reserved, '__proto__'].includes(match[1] ?? '')) {
        throw new RystraError('usage.invalid', {
          detail: `${flag}: expected field=value of the ${what}, got ${JSON.stringify(pair.slice(0, 80))}`
        })
      }
      const [, field = '', text = ''] = match
      if (/^(?:true|false)$/.test(text)) return [field, text === 'true']
      return [field, /^-?\d{1,15}$/.test(text) ? Number(text) : text]
    })
  )
