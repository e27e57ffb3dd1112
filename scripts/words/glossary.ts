/** Words that the glossary bans, and where. */
export interface Banned {
  /** In any text: names, comments, messages and pages. Lower case; a phrase has its words separated by one space. */
  readonly anywhere: ReadonlyMap<string, string>
  /** As a part of a name in code: `told` bans `toldOnce`, not the sentence "it was told once". */
  readonly names: ReadonlyMap<string, string>
  /** At the start of a sentence. */
  readonly starts: ReadonlyMap<string, string>
}

const headings = { anywhere: 'Banned anywhere', names: 'Banned in names', starts: 'Banned at the start of a sentence' }

const tableBelow = (page: string, heading: string): Map<string, string> => {
  const [, section] = page.split(`\n## ${heading}\n`)
  if (section === undefined) throw new Error(`docs/glossary.md has no section "${heading}"`)
  const rows = (section.split('\n## ')[0] as string).split('\n').filter((line) => /^\| *`/.test(line))
  const words = rows.flatMap((row) => {
    const [, banned = '', instead = ''] = row.split('|')
    return [...banned.matchAll(/`([^`]+)`/g)].map(([, word = '']): [string, string] => [
      word.toLowerCase(),
      instead.trim()
    ])
  })
  if (words.length === 0) throw new Error(`docs/glossary.md bans nothing in section "${heading}"`)
  return new Map(words)
}

/** Reads the tables of banned words of docs/glossary.md. Throws when one is missing or empty. */
export const bannedWords = (page: string): Banned => ({
  anywhere: tableBelow(page, headings.anywhere),
  names: tableBelow(page, headings.names),
  starts: tableBelow(page, headings.starts)
})
