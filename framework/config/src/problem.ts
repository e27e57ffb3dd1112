import { type ErrorCode, isSecretName, redacted, RystraError } from '@rystra/model'

/** One thing that is wrong with a configuration. */
export interface Problem {
  /** Where: `client.proxies[0].port`. Empty for the whole. */
  readonly path: string
  /** The value found, with secrets redacted and long values cut. */
  readonly value: string
  /** What should be there. */
  readonly expected: string
  /** What was probably meant. */
  readonly hint?: string
  /** The line of the file that has it, where that is known. */
  readonly line?: number
}

/** Shown for an unknown key, and for a required one that is missing. */
export const unknownKey = 'an unknown key'
export const nothing = 'nothing'

/** One line for people. */
export const formatProblem = ({ path, value, expected, hint, line }: Problem): string => {
  const where = path === '' ? 'the configuration' : path
  const also = hint === undefined ? '' : `; ${hint}`
  const place = line === undefined ? '' : ` (line ${line})`
  return value === unknownKey
    ? `${where}: unknown key${hint === undefined ? `; known here: ${expected}` : also}${place}`
    : `${where}: expected ${expected}, got ${value}${also}${place}`
}

/** Lines shown in the message; `problems` has all of them. */
const shownLines = 50

/** A {@link RystraError} of a configuration, with every problem there is. */
export class ConfigError extends RystraError {
  readonly problems: readonly Problem[]
  /** The file it was read from, when there is one. */
  readonly file: string | undefined

  /** `lines` are shown instead of the file and the problems. */
  constructor(code: ErrorCode, problems: readonly Problem[], file?: string, lines?: readonly string[]) {
    const shown = lines ?? [...(file === undefined ? [] : [file]), ...problems.map(formatProblem)]
    const more = shown.length > shownLines ? [`… and ${shown.length - shownLines} more`] : []
    super(code, { detail: [...shown.slice(0, shownLines), ...more].join('\n  ') })
    this.problems = problems
    this.file = file
  }
}

const shownLength = 60

/** Whether something under this path should not be shown. */
const isSecretPath = (path: string): boolean => path.split(/[.[\]]+/).some(isSecretName)

/** The part of a URL before the last `@` is a user and a password, also where the rest is misspelt. */
const withoutCredentials = (text: string): string => {
  const end = text.lastIndexOf('@')
  if (end < 0) return text
  const scheme = /^[^:/@]{0,20}:\/\//.exec(text)?.[0] ?? ''
  const isSecret = scheme !== '' || text.lastIndexOf(':', end) >= 0
  return isSecret ? `${scheme}[redacted]${text.slice(end)}` : text
}

/** A value with secrets redacted, by the `secret` of its schema, or else by its path. */
export const show = (value: unknown, path: string, secret?: unknown): string => {
  if (value === undefined) return nothing
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length}`
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'function') return 'a function'
  if (secret === true || (secret !== false && isSecretPath(path))) return redacted
  const text = typeof value === 'string' ? JSON.stringify(withoutCredentials(value)) : String(value)
  return text.length > shownLength ? `${text.slice(0, shownLength)}…` : text
}

/** The path of a key within a path. */
export const at = (path: string, key: string | number): string => {
  if (typeof key === 'number') return `${path}[${key}]`
  const name = key.length > shownLength ? `${key.slice(0, shownLength)}…` : key
  if (!/^[\w$-]+…?$/.test(name)) return `${path}[${JSON.stringify(name)}]`
  return path === '' ? name : `${path}.${name}`
}
