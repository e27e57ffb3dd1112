/** How a language writes comments and strings. */
export interface Syntax {
  readonly lineComment: string
  readonly blockComment: boolean
  /** Longest first. */
  readonly quotes: readonly string[]
  /** Quotes without escapes. */
  readonly raw: readonly string[]
}

export const scriptSyntax: Syntax = { lineComment: '//', blockComment: true, quotes: ["'", '"', '`'], raw: [] }
export const tomlSyntax: Syntax = {
  lineComment: '#',
  blockComment: false,
  quotes: ['"""', "'''", '"', "'"],
  raw: ["'''", "'"]
}

const blank = (text: string, by: string): string => text.replaceAll(/[^\n]/g, by)

/**
 * The same text with comments blanked out and strings made of `_`, so that brackets and words found in it are code.
 * Every character keeps its place. Regular expressions of scripts are not understood: what is built on this is checked
 * by reading the result.
 */
export const mask = (text: string, syntax: Syntax): string => {
  let out = ''
  let i = 0
  while (i < text.length) {
    if (text.startsWith(syntax.lineComment, i)) {
      const end = text.indexOf('\n', i)
      const stop = end === -1 ? text.length : end
      out += blank(text.slice(i, stop), ' ')
      i = stop
    } else if (syntax.blockComment && text.startsWith('/*', i)) {
      const end = text.indexOf('*/', i + 2)
      const stop = end === -1 ? text.length : end + 2
      out += blank(text.slice(i, stop), ' ')
      i = stop
    } else {
      const quote = syntax.quotes.find((candidate) => text.startsWith(candidate, i))
      if (quote === undefined) {
        out += text[i]
        i++
      } else {
        const stop = endOfString(text, i + quote.length, quote, !syntax.raw.includes(quote))
        out += blank(text.slice(i, stop), '_')
        i = stop
      }
    }
  }
  return out
}

const endOfString = (text: string, from: number, quote: string, escapes: boolean): number => {
  let i = from
  while (i < text.length) {
    if (escapes && text[i] === '\\') i += 2
    else if (text.startsWith(quote, i)) return i + quote.length
    else i++
  }
  return text.length
}

/** A part of a text, without white space and comments around it. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** A list in brackets. */
export interface List {
  /** Index of the opening bracket. */
  readonly open: number
  /** Index of the closing one. */
  readonly close: number
  readonly items: readonly Span[]
  /** Whether a comma stands after the last item. */
  readonly trailingComma: boolean
}

/** Reads the list whose bracket opens at `open` of a masked text. Nothing when it does not close. */
export const listAt = (masked: string, open: number): List | undefined => {
  const items: Span[] = []
  let depth = 0
  let start = open + 1
  let trailingComma = false
  const push = (end: number): boolean => {
    const part = masked.slice(start, end)
    if (part.trim() === '') return false
    const lead = part.length - part.trimStart().length
    items.push({ start: start + lead, end: start + part.trimEnd().length })
    return true
  }
  for (let i = open; i < masked.length; i++) {
    const char = masked[i] ?? ''
    if ('[{('.includes(char)) depth++
    else if (')}]'.includes(char)) {
      depth--
      if (depth === 0) {
        if (push(i)) trailingComma = false
        return { open, close: i, items, trailingComma }
      }
    } else if (char === ',' && depth === 1) {
      push(i)
      trailingComma = true
      start = i + 1
    }
  }
  return undefined
}

/** White space at the beginning of the line of an index. */
const indentAt = (text: string, index: number): string =>
  /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', index - 1) + 1))?.[0] ?? ''

/** Index of the end of the line, before its line break. */
export const lineEnd = (text: string, index: number): number => {
  const end = text.indexOf('\n', index)
  return end === -1 ? text.length : end
}

/** Index of the beginning of the line. */
export const lineStart = (text: string, index: number): number => text.lastIndexOf('\n', index - 1) + 1

/** Puts an item at the end of a list. `render` is given the indentation, or nothing where the list is on one line. */
export const appendItem = (text: string, list: List, render: (indent: string | undefined) => string): string => {
  const last = list.items.at(-1)
  if (last === undefined) return `${text.slice(0, list.open + 1)}${render(undefined)}${text.slice(list.close)}`
  const first = list.items[0] ?? last
  if (!text.slice(list.open, first.start).includes('\n')) {
    return `${text.slice(0, last.end)}, ${render(undefined)}${text.slice(last.end)}`
  }
  const indent = indentAt(text, last.start)
  const comma = list.trailingComma ? '' : ','
  const at = Math.min(lineEnd(text, last.end), list.close)
  const tail = at === list.close ? `\n${indentAt(text, list.open)}` : ''
  return (
    text.slice(0, last.end) +
    comma +
    text.slice(last.end, at).trimEnd() +
    `\n${indent}${render(indent)}${list.trailingComma ? ',' : ''}${tail}` +
    text.slice(at)
  )
}

/** Takes an item out, with its comma, and with its lines where it has them for itself. */
export const removeItem = (text: string, masked: string, list: List, index: number): string => {
  const item = list.items[index]
  if (item === undefined) return text
  const next = list.items[index + 1]
  const before = list.items[index - 1]
  const comma = masked.indexOf(',', item.end)
  const end = comma !== -1 && comma < list.close ? comma + 1 : item.end
  const from = lineStart(text, item.start)
  const to = lineEnd(text, end)
  const ownLines = text.slice(from, item.start).trim() === '' && masked.slice(end, to).trim() === ''
  let without: string
  if (ownLines) without = text.slice(0, from) + text.slice(Math.min(to + 1, text.length))
  else if (next !== undefined) without = text.slice(0, item.start) + text.slice(next.start)
  else without = text.slice(0, before === undefined ? item.start : before.end) + text.slice(end)
  // The last of several had no comma after it: the one before it goes too, unless it is gone already.
  const dangling = before !== undefined && next === undefined && end === item.end && ownLines
  if (!dangling) return without
  const previous = masked.indexOf(',', before.end)
  return without.slice(0, previous) + without.slice(previous + 1)
}
