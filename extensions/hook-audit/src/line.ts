/** The longest text of a record, in characters: names and reasons of people, not what somebody stuffs into them. */
const longest = 512

/** Entries of a list in a record. */
const most = 32

/**
 * What a terminal or an editor may obey or hide and JSON leaves as it is: DEL, C1, zero-width characters, line and
 * paragraph separators, marks of direction.
 */
const hidden = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g

/** User and password in a URL, and values that are called a secret. Applied to texts that are cut already. */
const credentials = /(\/\/)[^\s/@]*@/g
const named =
  /\b([\w-]*(?:token|secret|password|passphrase|passwd|credential|authorization|api[-_]?key)[\w-]*\s*[=:]\s*)("[^"]*"|[^\s,;&]+(?:\s+[^\s,;&]+)?)/gi

/** What stands in the place of a secret. */
export const redacted = '[redacted]'

/** Whether a field of this name is taken for a secret. */
export const isSecretName = (name: string): boolean =>
  /token|secret|password|passphrase|passwd|credential|authorization|auth|cookie|key/i.test(name)

/** Text as it may stand in a record: not too long. */
export const cut = (text: string): string => (text.length > longest ? `${text.slice(0, longest)}…` : text)

/** The same for sentences that others made, which might repeat what they were given. */
export const scrubbed = (text: string): string =>
  cut(text).replace(credentials, `$1${redacted}@`).replace(named, `$1${redacted}`)

/** A value of a proxy as it may stand in a record: text, numbers, and lists of them; `undefined` for what is neither. */
export const plain = (value: unknown): unknown => {
  if (typeof value === 'string') return scrubbed(value)
  if (typeof value === 'number' || typeof value === 'boolean') return value
  if (Array.isArray(value)) return value.slice(0, most).map(plain)
  return undefined
}

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** One line: JSON without anything in it that is not printed as it is, and a line feed. */
export const toLine = (record: object): string => `${JSON.stringify(record).replace(hidden, escaped)}\n`
