import { type NewEntry, unset } from './entry.js'
import { appendItem, type List, listAt, mask, removeItem, scriptSyntax } from './scan.js'

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

/** An entry as TypeScript. On one line, without comments, when there is no indentation. */
export const scriptEntry = (entry: NewEntry, indent?: string): string => {
  const { use, options } = entry
  const set = Object.entries(options)
  const rest = unset(entry)
  if (set.length === 0 && (rest.length === 0 || indent === undefined)) return literal(use)
  if (indent === undefined) return `{ use: ${literal(use)}, options: ${literal(options)} }`
  const comment = set.length === 0 ? '// ' : ''
  const lines = [
    '{',
    `  use: ${literal(use)},`,
    `  ${comment}options: {`,
    ...set.map(([name, value]) => `    ${keyOf(name)}: ${literal(value)},`),
    ...rest.map(({ key, value, description }) => {
      const about = description === undefined ? '' : ` // ${description}`
      return `${set.length === 0 ? '  //   ' : '    // '}${keyOf(key)}: ${literal(value)},${about}`
    }),
    `  ${comment}}`,
    '}'
  ]
  return lines.join(`\n${indent}`)
}

/** The only list named `extensions` in a script; nothing when there is none, or more than one. */
const findList = (masked: string): List | undefined => {
  const found = [...masked.matchAll(/\bextensions\s*:\s*\[/g)]
  const [only] = found
  if (only === undefined || found.length > 1) return undefined
  return listAt(masked, only.index + only[0].length - 1)
}

/** The text with the entry in it; nothing when the place is not clear. */
export const addToScript = (text: string, entry: NewEntry): string | undefined => {
  const masked = mask(text, scriptSyntax)
  const list = findList(masked)
  if (list !== undefined) return appendItem(text, list, (indent) => scriptEntry(entry, indent))
  if (/\bextensions\b/.test(masked)) return undefined
  const starts = [...masked.matchAll(/(?:\bdefineConfig\s*\(\s*|\bexport\s+default\s+)\{/g)]
  const [only] = starts
  if (only === undefined || starts.length > 1) return undefined
  const at = only.index + only[0].length
  return `${text.slice(0, at)}\n  extensions: [\n    ${scriptEntry(entry, '    ')}\n  ],${text.slice(at)}`
}

/** The text without the entry at `index`; nothing when it is not clear where it stands. */
export const removeFromScript = (text: string, index: number): string | undefined => {
  const masked = mask(text, scriptSyntax)
  const list = findList(masked)
  return list?.items[index] === undefined ? undefined : removeItem(text, masked, list, index)
}
