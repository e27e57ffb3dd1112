import { stringify } from 'smol-toml'
import { allOptions, type NewEntry, unset } from './entry.js'
import { appendItem, type List, lineEnd, listAt, mask, removeItem, tomlSyntax } from './scan.js'

/** A value on one line. */
const inline = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    const fields = Object.entries(value).map(([key, field]) => `${keyOf(key)} = ${inline(field)}`)
    return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`
  }
  return stringify({ v: value }).trim().slice('v = '.length)
}

const keyOf = (key: string): string => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))

const table = (entry: NewEntry): string => {
  const set = Object.entries(entry.options)
  const rest = unset(entry)
  const lines = ['[[extensions]]', `use = ${inline(entry.use)}`]
  if (set.length > 0 || rest.length > 0) lines.push(`${set.length === 0 ? '# ' : ''}[extensions.options]`)
  lines.push(...set.map(([key, value]) => `${keyOf(key)} = ${inline(value)}`))
  lines.push(
    ...rest.map(
      ({ key, value, description }) =>
        `# ${keyOf(key)} = ${inline(value)}${description === undefined ? '' : ` # ${description}`}`
    )
  )
  return `${lines.join('\n')}\n`
}

const tablePattern = /^[ \t]*\[\[[ \t]*extensions[ \t]*\]\]/gm

/** The list of `extensions = […]` in the first, nameless table. */
const findList = (masked: string): List | undefined => {
  const firstTable = /^[ \t]*\[/m.exec(masked)?.index ?? masked.length
  const found = /^[ \t]*extensions[ \t]*=[ \t]*\[/m.exec(masked)
  if (found === null || found.index > firstTable) return undefined
  return listAt(masked, found.index + found[0].length - 1)
}

/** The text with the entry in it. */
export const addToToml = (text: string, entry: NewEntry): string => {
  const list = findList(mask(text, tomlSyntax))
  if (list !== undefined) {
    const options = allOptions(entry)
    const item = Object.keys(options).length === 0 ? inline(entry.use) : inline({ use: entry.use, options })
    return appendItem(text, list, () => item)
  }
  const gap = text === '' || text.endsWith('\n\n') ? '' : text.endsWith('\n') ? '\n' : '\n\n'
  return `${text}${gap}${table(entry)}`
}

/** The text without the entry at `index`; nothing when it is not clear where it stands. */
export const removeFromToml = (text: string, index: number): string | undefined => {
  const masked = mask(text, tomlSyntax)
  const list = findList(masked)
  if (list !== undefined) return list.items[index] === undefined ? undefined : removeItem(text, masked, list, index)
  const headers = [...masked.matchAll(tablePattern)]
  const header = headers[index]
  if (header === undefined) return undefined
  const end = endOfTable(text, masked, header.index)
  const before = text.slice(0, header.index)
  return end === text.length ? before.replace(/\n\n+$/, '\n') : before + text.slice(end)
}

/** Where the table that begins at `start` ends: its own comments belong to it, those after an empty line to what follows. */
const endOfTable = (text: string, masked: string, start: number): number => {
  const next = [...masked.matchAll(/^[ \t]*\[/gm)].find(
    ({ index }) => index > start && !/^[ \t]*\[{1,2}[ \t]*extensions[ \t]*\./.test(masked.slice(index))
  )
  const limit = next?.index ?? text.length
  let end = lineEnd(text, start) + 1
  let blank = false
  for (let at = end; at < limit; ) {
    const stop = Math.min(lineEnd(text, at) + 1, limit)
    const code = masked.slice(at, stop).trim() !== ''
    const line = text.slice(at, stop).trim()
    if (code) blank = false
    if (line === '') blank = true
    if (!blank) end = stop
    at = stop
  }
  // The empty line between two tables goes with the one that is taken out.
  while (end < limit && text.slice(end, lineEnd(text, end)).trim() === '') end = lineEnd(text, end) + 1
  return Math.min(end, text.length)
}
