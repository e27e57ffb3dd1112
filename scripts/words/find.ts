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

/** Whether a sentence may go on from one line to the next: in a comment, a paragraph, or a string in parts. */
const goesOn = (file: string, line: string, next: string): boolean => {
  if (file.endsWith('.md')) return line.trim() !== '' && next.trim() !== ''
  if (/['"`] \+$/.test(line)) return /^\s*['"`]/.test(next)
  const comment = /^\s*(\/\*\*?|\*(?!\/)|\/\/)/
  return comment.test(line) && !line.includes('*/') && comment.test(next)
}

const inLines = (file: string, source: string, banned: ReadonlyMap<string, string>): Finding[] => {
  const lines = source.split('\n')
  const words = lines.map(wordsOf)
  const holds = (text: string, word: string): boolean => text.includes(` ${word} `)
  return lines.flatMap((line, index) => {
    const [here, below] = [words[index] as string, words[index + 1] ?? ' ']
    const broken = goesOn(file, line, lines[index + 1] ?? '') ? `${here.trimEnd()} ${below.trimStart()}` : here
    return [...banned]
      .filter(([word]) => holds(here, word) || (holds(broken, word) && !holds(below, word)))
      .map(([word, instead]) => ({ line: index + 1, word, instead }))
  })
}

const startsOf = (source: string, banned: ReadonlyMap<string, string>): Finding[] =>
  source.split('\n').flatMap((line, index) =>
    [...banned]
      .filter(([word]) => {
        const first = `${word.charAt(0).toUpperCase()}${word.slice(1)}`
        return new RegExp(`(?:^[\\s*/#|>-]*|[.:;?!)] |["'\`])${first}\\b`).test(line)
      })
      .map(([word, instead]) => ({ line: index + 1, word, instead }))
  )

/** Constants of a module that are described as milliseconds, by their line. */
const time =
  /^\/\*\*(?: |\n \* )Milliseconds (?:(?!\*\/)[\s\S])*\*\/\n(?:export )?const (\w+) = [\d_]+(?: \* [\d_]+)*$/gm

const timesOf = (source: string): Finding[] =>
  [...source.matchAll(time)]
    .filter(([, name = '']) => !/(_MS|[a-z]Ms|[tT]imeout)$/.test(name))
    .map(({ 0: found, 1: word = '', index }) => ({
      line: source.slice(0, index + found.length).split('\n').length,
      word,
      instead: 'constants of time end in _MS or Timeout'
    }))

/** Every use of a banned word in a file, by line. Names are looked for in code only, not in pages. */
export const findBanned = (file: string, source: string, banned: Banned): Finding[] => {
  const isCode = /\.[cm]?[jt]s$/.test(file)
  const names = isCode ? [...inLines(file, withoutTexts(source), banned.names), ...timesOf(source)] : []
  return [...inLines(file, source, banned.anywhere), ...names, ...startsOf(source, banned.starts)].sort(
    (a, b) => a.line - b.line
  )
}
