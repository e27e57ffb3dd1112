import type { Banned } from './glossary.js'

/** One use of a banned word. */
export interface Finding {
  /** From 1. */
  readonly line: number
  readonly word: string
  readonly instead: string
}

/** Comments, strings and templates of one file of TypeScript. Strings end with their line, so that a quote in a regular expression does little. */
const text = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`/g

/** The code of a file without its texts; an expression within a template stays. Lines keep their numbers. */
const withoutTexts = (source: string): string =>
  source.replace(text, (found) => {
    const expressions = found.startsWith('`') ? [...found.matchAll(/\$\{([^}]*)\}/g)].map(([, inner]) => inner) : []
    return ` ${expressions.join(' ')} ${found.replaceAll(/[^\n]/g, '')}`
  })

/** `toldOnce` → ` told once `: words in lower case, one space between, punctuation kept as a separator. */
const wordsOf = (line: string): string =>
  ` ${line
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9.:;,!?]+/g, ' ')
    .replaceAll(/([.:;,!?])/g, ' $1 ')
    .replaceAll(/ +/g, ' ')} `

const inLines = (source: string, banned: ReadonlyMap<string, string>): Finding[] =>
  source.split('\n').flatMap((line, index) => {
    const words = wordsOf(line)
    return [...banned]
      .filter(([word]) => words.includes(` ${word} `))
      .map(([word, instead]) => ({ line: index + 1, word, instead }))
  })

const startsOf = (source: string, banned: ReadonlyMap<string, string>): Finding[] =>
  source.split('\n').flatMap((line, index) =>
    [...banned]
      .filter(([word]) => {
        const first = `${word.charAt(0).toUpperCase()}${word.slice(1)}`
        return new RegExp(`(?:^[\\s*/#|>-]*|[.:] |["'\`])${first}\\b`).test(line)
      })
      .map(([word, instead]) => ({ line: index + 1, word, instead }))
  )

/** Every use of a banned word in a file, by line. Names are looked for in code only, not in pages. */
export const findBanned = (file: string, source: string, banned: Banned): Finding[] => {
  const names = /\.[cm]?[jt]s$/.test(file) ? inLines(withoutTexts(source), banned.names) : []
  return [...inLines(source, banned.anywhere), ...names, ...startsOf(source, banned.starts)].sort(
    (a, b) => a.line - b.line
  )
}
