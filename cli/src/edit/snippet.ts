import type { ConfigFormat } from '@rystra/config'
import { stringify } from 'smol-toml'
import { type NewEntry, unset } from './entry.js'

const text = (value: string): string => (/^[^\p{Cc}'\\]*$/u.test(value) ? `'${value}'` : JSON.stringify(value))

const keyOf = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name))

/** What JSON can say, on one line, as one would write it by hand. */
const literal = (value: unknown): string => {
  if (typeof value === 'string') return text(value)
  if (Array.isArray(value)) return `[${value.map(literal).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  const fields = Object.entries(value).map(([name, field]) => `${keyOf(name)}: ${literal(field)}`)
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
}

const scriptLines = ({ use, options, ...entry }: NewEntry): string => {
  const set = Object.entries(options).map(([name, value]) => `    ${keyOf(name)}: ${literal(value)},\n`)
  const rest = unset({ use, options, ...entry }).map(({ key, value, description }) => {
    const about = description === undefined ? '' : ` // ${description}`
    return `    // ${keyOf(key)}: ${literal(value)},${about}\n`
  })
  const lines = [...set, ...rest].join('')
  return lines === '' ? literal(use) : `{\n  use: ${literal(use)},\n  options: {\n${lines}  }\n}`
}

const tomlLines = (entry: NewEntry): string => {
  const rest = unset(entry).map(({ key, value, description }) => {
    const about = description === undefined ? '' : ` # ${description}`
    return `# ${stringify({ [key]: value }).trim()}${about}\n`
  })
  const set = Object.keys(entry.options).length === 0 ? '' : `${stringify(entry.options).trim()}\n`
  const options = `${set}${rest.join('')}`
  return `[[extensions]]\nuse = ${JSON.stringify(entry.use)}\n${options === '' ? '' : `[extensions.options]\n${options}`}`
}

/** The lines to add by hand to a configuration in TOML or code: the options, and their defaults as comments. */
export const snippetOf = (format: ConfigFormat, entry: NewEntry): string =>
  format === 'toml' ? tomlLines(entry) : scriptLines(entry)
