/** A variable with its value, which may have several lines within quotes; a quote that nothing closes is the first group. */
const values = /^[ \t]*(?:export[ \t]+)?[\w.-]+[ \t]*=[ \t]*(?:"[^"]*".*|'[^']*'.*|`[^`]*`.*|(["'`]).*|.*)$/gm

/** No more is told of one file. */
const MAX_MISTAKES = 5

/** Lines of a `.env` that Node passes over, or does not take as they are meant; values are not shown. */
export const envMistakes = (text: string): string[] => {
  const mistakes: [line: number, problem: string][] = []
  const lineOf = (index: number): number => text.slice(0, index).split('\n').length
  for (const { 0: match, 1: quote, index } of text.matchAll(values)) {
    if (quote !== undefined) mistakes.push([lineOf(index), 'has an unclosed quote'])
    else if (/=[ \t]*[\u2018-\u201f\u00ab]/.test(match)) mistakes.push([lineOf(index), 'has typographic quotes'])
  }
  const rest = text.replaceAll(values, (match) => '\n'.repeat(match.split('\n').length - 1))
  for (const [i, line] of rest.split('\n').entries()) {
    if (!/^\s*(#|$)/.test(line)) mistakes.push([i + 1, 'is passed over: it is not NAME=value'])
  }
  const sorted = mistakes.sort(([one], [other]) => one - other)
  return sorted.slice(0, MAX_MISTAKES).map(([line, problem]) => `line ${line} ${problem}`)
}
