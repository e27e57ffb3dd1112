import { pattern } from '@rystra/address'
import { RystraError } from '@rystra/plugin'
import { domainToASCII } from 'node:url'

/** Ports from `from` to `to`, both included. */
export interface Range {
  readonly from: number
  readonly to: number
}

export const rangeOf = (text: string | number): Range => {
  const [from, to = from] = String(text).split('-').map(Number)
  if (from === undefined || to === undefined || from > to || to > 65_535)
    throw new RystraError('config.invalid', { detail: `ports: ${text} is no range` })
  return { from, to }
}

export const showRanges = (ranges: readonly Range[]): string =>
  ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ') || 'none'

export const sizeOf = ({ from, to }: Range): number => to - from + 1

export const overlaps = (a: Range, b: Range): boolean => a.from <= b.to && b.from <= a.to

/** What is left of a range without another. */
export const without = (range: Range, taken: Range): Range[] => {
  if (!overlaps(range, taken)) return [range]
  const before = { from: range.from, to: taken.from - 1 }
  const after = { from: taken.to + 1, to: range.to }
  return [before, after].filter(({ from, to }) => from <= to)
}

/** A host in the form in which it is compared: lower case, ASCII, no dot behind. `*.` in front stands for all below. */
export const plainHost = (host: string): string => {
  const wild = host.startsWith('*.') ? '*.' : ''
  const name = host.slice(wild.length).replace(/\.$/, '')
  return wild + (domainToASCII(name) || name.toLowerCase())
}

/** Whether all that `inner` stands for is in `outer`; both may be wildcards. */
export const hostCovers = (outer: string, inner: string): boolean => {
  if (outer === '*' || outer === inner) return true
  return outer.startsWith('*.') && inner.endsWith(outer.slice(1))
}

/** Whether there is a host that both stand for. */
export const hostsMeet = (a: string, b: string): boolean => hostCovers(a, b) || hostCovers(b, a)

/** Whether all that the pattern `inner` stands for is in the pattern `outer`, or `inner` is a name in it. */
export const nameCovers = (outer: string, inner: string): boolean => pattern(outer)(inner)
