import { isSecretName, redacted } from '@rystra/plugin'

/** Longest text in a record, in characters. */
const longest = 512

/** Longest list in a record. */
const most = 32

/**
 * Characters that terminals or editors interpret or hide, and JSON does not escape: DEL, C1, zero-width characters,
 * line and paragraph separators, direction marks.
 */
const hidden = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g

/** Credentials in URLs, and values of secret names. Applied to shortened texts. */
const credentials = /(\/\/)[^\s/@]*@/g
const named =
  /\b([\w-]*(?:token|secret|password|passphrase|passwd|credential|authorization|api[-_]?key)[\w-]*\s*[=:]\s*)("[^"]*"|[^\s,;&]+(?:\s+[^\s,;&]+)?)/gi

/** Whether a field may hold a secret: `basicAuth` has accounts with their passwords. */
export const mayHoldSecret = (field: string): boolean => isSecretName(field) || /auth/i.test(field)

/** Shortens a text. */
export const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text)

/** Shortens a foreign text and removes secrets it may quote. */
export const scrubbed = (text: string): string =>
  cut(text).replace(credentials, `$1${redacted}@`).replace(named, `$1${redacted}`)

/** A value of a proxy for a record: text, numbers, and lists of them; `undefined` for others. */
export const plain = (value: unknown): unknown => {
  if (typeof value === 'string') return scrubbed(value)
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.slice(0, most).map(plain)
  return undefined
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** One line of JSON with all invisible characters escaped. */
export const toLine = (record: object): string => `${JSON.stringify(record).replace(hidden, escaped)}\n`
