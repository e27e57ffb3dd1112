import { asciiHostPattern, type PortRange, pattern } from '@rystra/address'

export const sizeOf = ({ from, to }: PortRange): number => to - from + 1

export const overlaps = (a: PortRange, b: PortRange): boolean => a.from <= b.to && b.from <= a.to

/** What is left of a range without another. */
export const without = (range: PortRange, taken: PortRange): PortRange[] => {
  if (!overlaps(range, taken)) return [range]
  const before = { from: range.from, to: taken.from - 1 }
  const after = { from: taken.to + 1, to: range.to }
  return [before, after].filter(({ from, to }) => from <= to)
}

/** A host in the form in which it is compared: lower case, ASCII, no dot behind. `*.` in front stands for all below. */
export const plainHost = (host: string): string => asciiHostPattern(host) ?? host.toLowerCase()

/** Whether all that `inner` stands for is in `outer`; both may be wildcards. */
export const hostCovers = (outer: string, inner: string): boolean => {
  if (outer === '*' || outer === inner) return true
  return outer.startsWith('*.') && inner.endsWith(outer.slice(1))
}

/** Whether there is a host that both stand for. */
export const hostsMeet = (a: string, b: string): boolean => hostCovers(a, b) || hostCovers(b, a)

/** Whether all that the pattern `inner` stands for is in the pattern `outer`, or `inner` is a name in it. */
export const nameCovers = (outer: string, inner: string): boolean => pattern(outer)(inner)
