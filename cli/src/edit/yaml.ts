import { isMap, isScalar, isSeq, type Node, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml'
import { allOptions, type NewEntry, unset } from './entry.js'

/** Index of the end of the line, before its line break. */
const lineEnd = (text: string, index: number): number => {
  const end = text.indexOf('\n', index)
  return end === -1 ? text.length : end
}

/** Index of the beginning of the line. */
const lineStart = (text: string, index: number): number => text.lastIndexOf('\n', index - 1) + 1

const scalar = (value: unknown): string =>
  typeof value === 'string' && /^[^\p{Cc}'\\]*$/u.test(value) ? `'${value}'` : JSON.stringify(value)

const keyOf = (key: string): string => (/^[A-Za-z_][\w-]*$/.test(key) ? key : scalar(key))

const comment = (description: string | undefined): string => (description === undefined ? '' : ` # ${description}`)

/** An entry of a block list: its lines, without the dash. */
const block = (entry: NewEntry, indent: string): string => {
  const set = Object.entries(entry.options)
  const rest = unset(entry)
  if (set.length === 0 && rest.length === 0) return `${indent}- ${scalar(entry.use)}`
  const inner = `${indent}  `
  const lines = [`${indent}- use: ${scalar(entry.use)}`]
  if (set.length === 0) {
    lines.push(`${inner}# options:`)
    for (const { key, value, description } of rest) {
      lines.push(`${inner}#   ${keyOf(key)}: ${scalar(value)}${comment(description)}`)
    }
  } else {
    lines.push(`${inner}options:`)
    for (const [key, value] of set) lines.push(`${inner}  ${keyOf(key)}: ${scalar(value)}`)
    for (const { key, value, description } of rest) {
      lines.push(`${inner}  # ${keyOf(key)}: ${scalar(value)}${comment(description)}`)
    }
  }
  return lines.join('\n')
}

const flow = (entry: NewEntry): string => {
  const options = allOptions(entry)
  return Object.keys(options).length === 0
    ? scalar(entry.use)
    : `{ use: ${scalar(entry.use)}, options: ${JSON.stringify(options)} }`
}

interface Place {
  readonly root: YAMLMap
  readonly value: Node | null | undefined
  readonly key: Node | undefined
}

const find = (text: string): Place | undefined => {
  const { contents } = parseDocument(text)
  if (!isMap(contents)) return undefined
  const pair = contents.items.find(({ key }) => isScalar(key) && key.value === 'extensions')
  return { root: contents, value: pair?.value as Node | null | undefined, key: pair?.key as Node | undefined }
}

/** The column of the dash of a block list. */
const dashIndent = (text: string, list: YAMLSeq): string | undefined => {
  const start = (list.items[0] as Node | undefined)?.range?.[0]
  if (start === undefined) return undefined
  return /^([ ]*)-(?=\s)/.exec(text.slice(lineStart(text, start)))?.[1]
}

/** The end of the last line that holds something of a node. */
const contentEnd = (text: string, node: Node): number => {
  const end = node.range?.[1] ?? 0
  return lineEnd(text, text.slice(0, end).trimEnd().length)
}

/** Where comments end that are indented deeper than `indent` and follow at once: they belong to the entry above. */
const commentsEnd = (text: string, from: number, indent: string): number => {
  let end = from
  while (end < text.length) {
    const line = text.slice(end + 1, lineEnd(text, end + 1))
    if (!/^ *#/.test(line) || line.indexOf('#') <= indent.length) break
    end = lineEnd(text, end + 1)
  }
  return end
}

/** The text with the entry in it, every other byte as it was; nothing when the place is not clear. */
export const addToYaml = (text: string, entry: NewEntry): string | undefined => {
  const place = find(text)
  if (place === undefined) return text.trim() === '' ? `extensions:\n${block(entry, '  ')}\n` : undefined
  const { value, key } = place
  if (key === undefined) {
    if (place.root.flow === true) return undefined
    return `${text}${text.endsWith('\n') ? '' : '\n'}\nextensions:\n${block(entry, '  ')}\n`
  }
  if (isSeq(value) && value.items.length > 0) {
    const last = value.items.at(-1) as Node
    if (value.flow === true) {
      const end = last.range?.[1]
      return end === undefined ? undefined : `${text.slice(0, end)}, ${flow(entry)}${text.slice(end)}`
    }
    const indent = dashIndent(text, value)
    if (indent === undefined) return undefined
    const end = commentsEnd(text, contentEnd(text, last), indent)
    return `${text.slice(0, end)}\n${block(entry, indent)}${text.slice(end)}`
  }
  // `extensions:` without a value, or with an empty list.
  const colon = text.indexOf(':', key.range?.[1] ?? 0)
  const empty = /^:[ \t]*(?:\[\s*\]|null|~)?/.exec(text.slice(colon))
  if (colon === -1 || empty === null) return undefined
  const end = lineEnd(text, colon + empty[0].length)
  const rest = text.slice(colon + empty[0].length, end).trimEnd()
  return `${text.slice(0, colon)}:${rest.replace(/^(?=#)/, ' ')}\n${block(entry, '  ')}${text.slice(end)}`
}

/** The text without the entry at `index`, every other byte as it was; nothing when the place is not clear. */
export const removeFromYaml = (text: string, index: number): string | undefined => {
  const place = find(text)
  if (place === undefined || !isSeq(place.value)) return undefined
  const list = place.value
  const item = list.items[index] as Node | undefined
  if (item?.range == null) return undefined
  if (list.flow === true) {
    const next = list.items[index + 1] as Node | undefined
    const before = list.items[index - 1] as Node | undefined
    const start = next === undefined && before?.range != null ? before.range[1] : item.range[0]
    const end = next?.range?.[0] ?? item.range[1]
    return text.slice(0, start) + text.slice(end)
  }
  const indent = dashIndent(text, list)
  if (indent === undefined) return undefined
  const start = lineStart(text, item.range[0])
  const end = commentsEnd(text, contentEnd(text, item), indent)
  const rest = text.slice(Math.min(end + 1, text.length))
  if (list.items.length > 1) return text.slice(0, start) + rest
  const colon = text.indexOf(':', place.key?.range?.[1] ?? 0)
  return colon === -1 ? undefined : `${text.slice(0, colon)}: []${text.slice(colon + 1, start)}${rest}`
}
