import { type EachString, copyPlain, markVariable } from './plain.js'
import { ConfigError, type Problem } from './problem.js'

/** Where variables are looked up. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A default goes up to the brace, and holds no variable itself: without that, text of many `${` would take quadratic time. */
const body = '([A-Za-z_][A-Za-z0-9_]*)(:-((?:[^}$]|\\$(?!\\{))*))?\\}'
const variable = new RegExp(`\\$\\$\\{|\\$\\{${body}|\\$\\{`, 'g')
/** Text that is one variable and nothing else. */
export const wholeVariable = `^\\$\\{${body}$`
const whole = new RegExp(wholeVariable)

/** What {@link substituted} gives: empty text stands for a variable that is missing. */
export interface Substituted {
  readonly value: unknown
  /** config.missing-variable with all that are missing, config.invalid for a `${` that is neither. */
  readonly errors: readonly ConfigError[]
}

/**
 * Replaces `${NAME}`, and `${NAME:-default}` where NAME is unset or empty, in every string value; `$${` stands for `${`.
 * What was put in is not looked at again. Makes a copy.
 * @param warnings why variables may be missing
 */
export const substituted = (
  raw: unknown,
  env: Environment,
  file?: string,
  warnings: readonly string[] = []
): Substituted => {
  const invalid: Problem[] = []
  const missing: Problem[] = []
  const each: EachString = (text, path, parent, key) => {
    if (!text.includes('${')) return text
    if (whole.test(text)) markVariable(parent, key)
    return text.replace(variable, (match, name?: string, hasDefault?: string, fallback?: string) => {
      if (match === '$${') return '${'
      if (name === undefined) {
        invalid.push({ path, value: 'a lone ${', expected: '${NAME}, ${NAME:-default}, or $${ for the two characters' })
        return match
      }
      const value = Object.hasOwn(env, name) ? env[name] : undefined
      if (hasDefault !== undefined) return value === undefined || value === '' ? (fallback ?? '') : value
      if (value !== undefined) return value
      missing.push({ path, value: 'nothing', expected: `the environment variable ${name}` })
      return ''
    })
  }
  const value = copyPlain(raw, invalid, each)
  const errors: ConfigError[] = []
  if (missing.length > 0) {
    const lines = missing.map(({ path, expected }) => `${expected.split(' ').at(-1)}, for ${path}`)
    const shown = [...(file === undefined ? [] : [file]), ...lines, ...warnings]
    errors.push(new ConfigError('config.missing-variable', missing, file, shown))
  }
  if (invalid.length > 0) errors.push(new ConfigError('config.invalid', invalid, file))
  return { value, errors }
}

/** As {@link substituted}. @throws the first error */
export const substitute = (raw: unknown, env: Environment, file?: string): unknown => {
  const { value, errors } = substituted(raw, env, file)
  if (errors[0] !== undefined) throw errors[0]
  return value
}
