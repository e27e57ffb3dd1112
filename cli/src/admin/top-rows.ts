import type { ProxyView, SessionView, StreamView } from '@rystra/admin-http'
import { bytesText, plainText, timeText } from './text.js'

/** What is listed. */
export type TopView = 'clients' | 'proxies' | 'streams'

/** One row, before it is drawn. */
export interface TopRow {
  readonly id: string
  readonly name: string
  readonly detail: string
  readonly streams: number
  readonly bytesToService: number
  readonly bytesToVisitor: number
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** A row with what it carried in the last second. */
export interface RatedRow extends TopRow {
  readonly rateIn: number
  readonly rateOut: number
}

export type SortKey = 'rate' | 'bytes' | 'streams' | 'name' | 'age'

/** Sort keys, in the order in which they take turns. */
export const sortKeys: readonly SortKey[] = ['rate', 'bytes', 'streams', 'name', 'age']

export const rowOf = {
  clients: (one: SessionView): TopRow => ({
    ...one,
    name: plainText(one.client),
    detail: one.peer
  }),
  proxies: (one: ProxyView): TopRow => ({
    ...one,
    name: plainText(one.name),
    detail: plainText(one.address ?? one.state),
    since: 0
  }),
  streams: (one: StreamView): TopRow => ({
    ...one,
    name: plainText(one.proxy),
    detail: plainText(one.visitor),
    streams: 1,
    since: one.openedAt
  })
} as const

/** Rates from two pictures. `seconds` lie between them. */
export const rated = (rows: readonly TopRow[], before: readonly TopRow[], seconds: number): RatedRow[] => {
  const earlier = new Map(before.map((row) => [row.id, row]))
  return rows.map((row) => {
    const past = earlier.get(row.id)
    if (past === undefined || seconds <= 0) return { ...row, rateIn: 0, rateOut: 0 }
    return {
      ...row,
      rateIn: Math.max(0, (row.bytesToService - past.bytesToService) / seconds),
      rateOut: Math.max(0, (row.bytesToVisitor - past.bytesToVisitor) / seconds)
    }
  })
}

const compare: Readonly<Record<SortKey, (a: RatedRow, b: RatedRow) => number>> = {
  rate: (a, b) => b.rateIn + b.rateOut - (a.rateIn + a.rateOut),
  bytes: (a, b) => b.bytesToService + b.bytesToVisitor - (a.bytesToService + a.bytesToVisitor),
  streams: (a, b) => b.streams - a.streams,
  name: (a, b) => a.name.localeCompare(b.name),
  age: (a, b) => a.since - b.since
}

/** Sorted by a key, then by name. */
export const sorted = (rows: readonly RatedRow[], key: SortKey): RatedRow[] =>
  [...rows].sort((a, b) => compare[key](a, b) || compare.name(a, b))

const fit = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text.padEnd(width)

/** One line of exactly `width` characters: numbers at the right, names share what is left. */
export const rowLine = (row: RatedRow, width: number, now: number): string => {
  const numbers = [
    String(row.streams).padStart(6),
    `${bytesText(row.rateIn)}/s`.padStart(10),
    `${bytesText(row.rateOut)}/s`.padStart(10),
    bytesText(row.bytesToService + row.bytesToVisitor).padStart(8),
    (row.since === 0 ? '' : timeText(now - row.since)).padStart(11)
  ].join(' ')
  return fit(`${textColumns(row.name, row.detail, width - numbers.length - 1)} ${numbers}`, width)
}

/** The heading of the lines of {@link rowLine}. */
export const headLine = (view: TopView, width: number): string => {
  const numbers = ['STRMS', 'TO SERVICE', 'TO VISITOR', 'TOTAL', 'AGE']
  const cells = numbers.map((text, index) => text.padStart([6, 10, 10, 8, 11][index] ?? 0)).join(' ')
  const [name, detail] = {
    clients: ['CLIENT', 'ADDRESS'],
    proxies: ['PROXY', 'ADDRESS'],
    streams: ['PROXY', 'VISITOR']
  }[view]
  return fit(`${textColumns(name ?? '', detail ?? '', width - cells.length - 1)} ${cells}`, width)
}

const textColumns = (name: string, detail: string, width: number): string => {
  const first = Math.max(4, Math.floor(width * 0.4))
  return `${fit(name, first)} ${fit(detail, Math.max(0, width - first - 1))}`
}
