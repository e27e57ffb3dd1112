import { RystraError } from '@rystra/model'

/** Reads `--options`. Throws `usage.invalid`. */
export const readOptions = (text: string | undefined): Record<string, unknown> => {
  if (text === undefined) return {}
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new RystraError('usage.invalid', {
      detail: `--options: expected JSON, ${cause instanceof Error ? cause.message : 'it cannot be read'}`,
      hint: `write it in single quotes: --options '{"from": 8}'`
    })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new RystraError('usage.invalid', {
    detail: '--options: expected an object',
    hint: `for example --options '{"from": 8}'`
  })
}
