/** The middle value, or the mean of the two in the middle; NaN of none. Values that are not numbers are left out. */
export const median = (values: readonly number[]): number => {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}

/** A result as it is kept: every round, and the middle. */
export interface Series {
  readonly median: number
  readonly rounds: readonly number[]
}

export const series = (rounds: readonly number[]): Series => ({ median: median(rounds), rounds })
