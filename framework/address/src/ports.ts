/** Ports from `from` to `to`, both included. */
export interface PortRange {
  readonly from: number
  readonly to: number
}

/** How ports may be written: `20022`, `'20022'`, `'20000-29999'`, or a {@link PortRange}. */
export type PortsWritten = readonly (number | string | PortRange)[]

/** For the `pattern` of an option. */
export const portRangePattern = '^([1-9][0-9]{0,4})(?:-([1-9][0-9]{0,4}))?$'
const range = new RegExp(portRangePattern)

export const expectedPorts = "a list of ports and ranges from 1 to 65535: 20022, '20000-29999'"

const isPort = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65535

const ends = (value: unknown): [from: unknown, to: unknown] => {
  if (typeof value === 'number') return [value, value]
  if (typeof value === 'string') {
    const match = range.exec(value)
    return match === null ? [undefined, undefined] : [Number(match[1]), Number(match[2] ?? match[1])]
  }
  const { from, to } = (value ?? {}) as Partial<PortRange>
  return [from, to]
}

/** A port or a range of ports. Throws a RangeError whose message says what was expected. */
export const parsePortRange = (value: unknown): PortRange => {
  const [from, to] = ends(value)
  if (!isPort(from) || !isPort(to)) throw new RangeError('expected a port from 1 to 65535, or a range: 20000-29999')
  if (from > to) throw new RangeError(`expected a range that goes up: '${to}-${from}'`)
  return { from, to }
}

/**
 * Ranges in ascending order, with those that touch or overlap made into one.
 * @throws RangeError that says what was expected
 */
export const parsePorts = (ports: unknown): PortRange[] => {
  if (!Array.isArray(ports)) throw new RangeError(`expected ${expectedPorts}`)
  const merged: PortRange[] = []
  for (const next of ports.map(parsePortRange).sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last === undefined || next.from > last.to + 1) merged.push(next)
    else merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, next.to) }
  }
  return merged
}

/** Whether a port is in one of the ranges. */
export const portAllowed = (ranges: readonly PortRange[], port: number): boolean =>
  ranges.some(({ from, to }) => port >= from && port <= to)

/** For people: `20022, 20100-20199`. */
export const formatPorts = (ranges: readonly PortRange[]): string =>
  ranges.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ') || 'none'
