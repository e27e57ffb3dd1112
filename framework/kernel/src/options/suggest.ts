/** How many letters have to change to make one word of the other (optimal string alignment: a swap counts as one). */
const distance = (a: string, b: string): number => {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  const at = (cells: readonly number[], column: number): number => cells[column] ?? Number.POSITIVE_INFINITY
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? at(before, j - 2) + 1 : Number.POSITIVE_INFINITY
      next.push(Math.min(at(row, j) + 1, at(next, j - 1) + 1, at(row, j - 1) + same, swap))
    }
    before = row
    row = next
  }
  return at(row, b.length)
}

/** The word that was probably meant, if one is near enough: a third of its letters may differ, and one of two. */
export const nearest = (word: string, words: readonly string[]): string | undefined => {
  if (word.length > 64) return undefined
  let best: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const candidate of words) {
    const far = distance(word.toLowerCase(), candidate.toLowerCase())
    const length = Math.max(word.length, candidate.length)
    if (far < least && far <= Math.max(Math.floor(length / 3), length === 2 ? 1 : 0)) {
      best = candidate
      least = far
    }
  }
  return best
}

/** `; did you mean "tcp"?`, or nothing. */
export const didYouMean = (word: string, words: readonly string[]): string => {
  const meant = nearest(word, words)
  return meant === undefined ? '' : `; did you mean "${meant}"?`
}
