import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import { HttpError } from './problem.js'
import type { Page } from './schemas.js'

/** Where an item is in the order of its list: time first, then id. */
export type Position = readonly [time: number, id: string]

const before = (a: Position, b: Position): boolean => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1])

const encode = (position: Position): string => Buffer.from(JSON.stringify(position)).toString('base64url')

const decode = (cursor: string): Position => {
  try {
    const [time, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    if (typeof time === 'number' && typeof id === 'string') return [time, id]
  } catch {}
  throw new HttpError(400, 'admin.invalid', 'cursor: not one of this list', { hint: 'take `next` of the page before' })
}

/** Items that are written in one turn of the event loop: a millisecond or two. */
const CHUNK = 500

/** How {@link pageOf} makes a page. */
export interface PageOptions<Item, View> {
  readonly items: Iterable<Item>
  readonly position: (item: Item) => Position
  readonly fits?: (item: Item) => boolean
  readonly view: (item: Item) => View
  readonly limit: number
  readonly cursor?: string | undefined
}

/**
 * One page of a list. Pages hold positions and no state: what comes and goes between two pages makes nothing else be
 * missed or repeated. Only the items of the page are viewed. A long page is a stream of JSON.
 */
export const pageOf = <Item, View>(options: PageOptions<Item, View>): Page<View> => {
  const { items, position, fits = () => true, view, limit, cursor } = options
  const from = cursor === undefined ? undefined : decode(cursor)
  let total = 0
  const found: { readonly at: Position; readonly item: Item }[] = []
  for (const item of items) {
    if (!fits(item)) continue
    total += 1
    const at = position(item)
    if (from === undefined || before(from, at)) found.push({ at, item })
  }
  found.sort((a, b) => (before(a.at, b.at) ? -1 : 1))
  const page = found.slice(0, limit)
  const last = page.at(-1)
  const rest = { total, ...(found.length > limit && last !== undefined ? { next: encode(last.at) } : {}) }
  if (page.length <= CHUNK) return { items: page.map(({ item }) => view(item)), ...rest }
  // A stream is sent as it is.
  return Readable.from(chunks(page, view, rest)) as unknown as Page<View>
}

/** The JSON of a long page, in pieces with a turn of the event loop between them: streams go on meanwhile. */
async function* chunks<Item, View>(
  page: readonly { readonly item: Item }[],
  view: (item: Item) => View,
  rest: object
): AsyncGenerator<string> {
  yield '{"items":['
  for (let from = 0; from < page.length; from += CHUNK) {
    const rows = page.slice(from, from + CHUNK).map(({ item }) => JSON.stringify(view(item)))
    yield `${from === 0 ? '' : ','}${rows.join(',')}`
    await setImmediate()
  }
  yield `],${JSON.stringify(rest).slice(1)}`
}

/** Whether one of the texts contains `q`, without case. */
export const contains = (q: string | undefined, ...texts: readonly (string | undefined)[]): boolean => {
  if (q === undefined || q === '') return true
  const wanted = q.toLowerCase()
  return texts.some((text) => text?.toLowerCase().includes(wanted) === true)
}
