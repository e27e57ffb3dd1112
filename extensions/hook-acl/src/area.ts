import { asciiHostPattern, type PortRange, pattern } from '@rystra/address'

export const sizeOf = ({ from, to }: PortRange): number => to - from + 1

export const overlaps = (a: PortRange, b: PortRange): boolean => a.from <= b.to && b.from <= a.to

/** The rest of a range without another. */
export const without = (range: PortRange, taken: PortRange): PortRange[] => {
  if (!overlaps(range, taken)) return [range]
  const before = { from: range.from, to: taken.from - 1 }
  const after = { from: taken.to + 1, to: range.to }
  return [before, after].filter(({ from, to }) => from <= to)
}

/** Normalises a host: lower case, ASCII, no trailing dot. A leading `*.` covers all subdomains. */
export const plainHost = (host: string): string => asciiHostPattern(host) ?? host.toLowerCase()

/** Whether `outer` covers `inner`; both may be wildcards. */
export const hostCovers = (outer: string, inner: string): boolean => {
  if (outer === '*' || outer === inner) return true
  return outer.startsWith('*.') && inner.endsWith(outer.slice(1))
}

/** Whether two hosts or wildcards overlap. */
export const hostsMeet = (a: string, b: string): boolean => hostCovers(a, b) || hostCovers(b, a)

/** Whether the pattern `outer` covers the name or pattern `inner`. */
export const nameCovers = (outer: string, inner: string): boolean => pattern(outer)(inner)
