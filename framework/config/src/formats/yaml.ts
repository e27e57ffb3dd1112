import { type Document, LineCounter, isScalar, parseDocument, visit } from 'yaml'
import type { ConfigError } from '../problem.js'
import type { ReadFormat } from './format.js'
import { syntax } from './syntax.js'

/** YAML 1.2, one document; duplicate keys and tags of its own are refused, aliases are bounded. */
export const read: ReadFormat = (file, text) => {
  refuseInvisible(file, text)
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'error',
    stringKeys: true
  })
  const [first] = [...document.errors, ...document.warnings]
  if (first !== undefined) {
    const { line, col } = lines.linePos(first.pos[0])
    throw syntax(file, problemOf(first), line, col)
  }
  inspect(document, (what, offset) => {
    const { line, col } = lines.linePos(offset)
    return syntax(file, what, line, col)
  })
  return document.toJS({ maxAliasCount: 100 })
}

const problemOf = ({ code, message }: { code: string; message: string }): string => {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here; a configuration is one document'
  // Without the name of the tag: it may be a secret that lacks its quotes.
  return message.startsWith('Unresolved tag') ? 'an unknown tag; text that begins with ! needs quotes' : message
}

/** White space of other kinds, which YAML takes as text: copied from a web page, it looks like a blank. */
const invisible = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u2060\u3000\ufeff]/

/** @throws config.syntax where such a character stands in the place of a blank of the syntax */
const refuseInvisible = (file: string, text: string): void => {
  if (!invisible.test(text)) return
  for (const [i, line] of text.split('\n').entries()) {
    // In front of an entry, and on both sides of the colon behind its key.
    const [syntaxPart = ''] = /^[\s\u200b\u2060-]*(?:[\w.-]+[\s\u200b\u2060]*:[\s\u200b\u2060]*)?/.exec(line) ?? []
    const column = syntaxPart.search(invisible)
    if (column < 0) continue
    const code = syntaxPart.charCodeAt(column).toString(16).toUpperCase().padStart(4, '0')
    throw syntax(file, `U+${code} stands where a blank is expected`, i + 1, column + 1)
  }
}

/** More than a person writes; resolving one takes time in proportion to the whole document. */
const maxAliases = 1000

/** What the library does not look for, or only in quadratic time. */
const inspect = (document: Document, wrong: (what: string, offset: number) => ConfigError): void => {
  const anchors = new Set<string>()
  let aliases = 0
  visit(document, {
    Value: (_, { anchor }) => {
      if (anchor !== undefined) anchors.add(anchor)
    },
    Alias: (_, { source, range }) => {
      if (!anchors.has(source))
        throw wrong('there is no anchor for this alias; text that begins with * needs quotes', range?.[0] ?? 0)
      if (++aliases > maxAliases) throw wrong(`more than ${maxAliases} aliases`, range?.[0] ?? 0)
    },
    Map: (_, { items, anchor }) => {
      if (anchor !== undefined) anchors.add(anchor)
      const seen = new Set<unknown>()
      for (const { key } of items) {
        if (!isScalar(key)) continue
        if (seen.has(key.value)) throw wrong(`the key ${JSON.stringify(key.value)} is there twice`, key.range?.[0] ?? 0)
        seen.add(key.value)
      }
    }
  })
}
