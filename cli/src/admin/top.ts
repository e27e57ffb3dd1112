import type { StatusView } from '@rystra/admin-http'
import type { AdminApi, ListPage } from './admin-api.js'
import { bytesText, plainText, refusedText, timeText } from './text.js'
import {
  headLine,
  type RatedRow,
  rated,
  rowLine,
  rowOf,
  type SortKey,
  sorted,
  sortKeys,
  type TopRow,
  type TopView
} from './top-rows.js'

const views: readonly TopView[] = ['clients', 'proxies', 'streams']
const paths = { clients: '/v1/sessions', proxies: '/v1/proxies', streams: '/v1/streams' } as const

/** The state and the rows of one view at one time. */
export interface Picture {
  readonly status: StatusView
  readonly view: TopView
  readonly rows: readonly TopRow[]
  /** Of all, more than are in `rows` at times. */
  readonly total: number
}

/** Takes a picture: at most 10,000 rows, the oldest first. */
export const pictureOf = async (api: AdminApi, view: TopView): Promise<Picture> => {
  const status = await api.request<StatusView>('/v1/status')
  const page = await api.request<ListPage<never>>(`${paths[view]}?limit=10000`)
  return { status, view, rows: page.items.map(rowOf[view] as (item: never) => TopRow), total: page.total }
}

/** What is drawn, and where. */
export interface ScreenState {
  readonly picture: Picture
  readonly rows: readonly RatedRow[]
  readonly rateIn: number
  readonly rateOut: number
  readonly sort: SortKey
  readonly paused: boolean
  readonly offset: number
  /** Of the last attempt, if it failed. */
  readonly failure?: string
  readonly columns: number
  readonly lines: number
}

/** Exactly `lines` lines of at most `columns` characters. */
export const screenOf = (state: ScreenState): string[] => {
  const { picture, rows, sort, paused, offset, columns, lines, failure } = state
  const { status, view, total } = picture
  const cut = (text: string): string => (text.length > columns ? text.slice(0, columns) : text)
  const of = status.process
  const head = [
    `rystra ${status.side}${status.cluster === undefined ? '' : ` ${plainText(status.cluster.name)}`}  ${status.state}  up ${timeText(of.uptime * 1000)}  pid ${of.pid}  memory ${bytesText(of.rss)}`,
    `sessions ${status.sessions}  proxies ${status.proxies}  streams ${status.streams} (${status.opened} so far)  refused ${refusedText(status.refused)}`,
    `to services ${bytesText(state.rateIn)}/s  to visitors ${bytesText(state.rateOut)}/s  carried ${bytesText(status.bytesToService + status.bytesToVisitor)}`,
    failure === undefined ? '' : `! ${failure}`,
    headLine(view, columns)
  ]
  const room = Math.max(0, lines - head.length - 1)
  const shown = sorted(rows, sort).slice(offset, offset + room)
  const body = shown.map((row) => rowLine(row, columns, status.now))
  const more = total > shown.length ? `  ${shown.length} of ${total}` : ''
  const keys = `1 clients 2 proxies 3 streams  s sort:${sort}  ↑↓ scroll  p ${paused ? 'go on' : 'pause'}  q quit${more}`
  return [...head, ...body, ...Array<string>(room - body.length).fill(''), keys].slice(0, lines).map(cut)
}

/** How {@link top} runs. */
export interface TopOptions {
  readonly view: TopView
  /** Milliseconds. */
  readonly interval: number
}

/** Draws pictures until q, Ctrl-C or the end of the terminal. Without a terminal: one picture. */
export const top = async (api: AdminApi, { view: first, interval }: TopOptions): Promise<void> => {
  const { stdin, stdout } = process
  let view = first
  let sort: SortKey = 'rate'
  let paused = false
  let offset = 0
  let failure: string | undefined
  let picture = await pictureOf(api, view)
  let rows = rated(picture.rows, [], 0)
  let [rateIn, rateOut] = [0, 0]
  const size = () => ({ columns: Math.max(40, stdout.columns ?? 80), lines: Math.max(8, stdout.rows ?? 24) })
  const screen = (): string[] =>
    screenOf({
      picture,
      rows,
      rateIn,
      rateOut,
      sort,
      paused,
      offset,
      ...(failure === undefined ? {} : { failure }),
      ...size()
    })
  if (!stdout.isTTY || !stdin.isTTY) {
    stdout.write(`${screen().slice(0, -1).join('\n').trimEnd()}\n`)
    return
  }
  const draw = (): void =>
    void stdout.write(
      `\u001b[H${screen()
        .map((line) => `${line}\u001b[K`)
        .join('\r\n')}\u001b[J`
    )
  const takeOnce = async (): Promise<void> => {
    try {
      const next = await pictureOf(api, view)
      const same = next.view === picture.view && next.status.run === picture.status.run
      const seconds = (next.status.now - picture.status.now) / 1000
      rows = rated(next.rows, same ? picture.rows : [], seconds)
      const rate = (field: 'bytesToService' | 'bytesToVisitor'): number =>
        same && seconds > 0 ? Math.max(0, (next.status[field] - picture.status[field]) / seconds) : 0
      ;[rateIn, rateOut] = [rate('bytesToService'), rate('bytesToVisitor')]
      picture = next
      failure = undefined
    } catch (error) {
      failure = (error as Error).message
    }
    draw()
  }
  const take = (): void => {
    takeOnce().catch((error: Error) => {
      failure = error.message
    })
  }
  const choose = (next: TopView): void => {
    view = next
    offset = 0
    take()
  }
  const keys: Readonly<Record<string, () => void>> = {
    '1': () => choose(views[0] as TopView),
    '2': () => choose(views[1] as TopView),
    '3': () => choose(views[2] as TopView),
    s: () => {
      sort = sortKeys[(sortKeys.indexOf(sort) + 1) % sortKeys.length] as SortKey
    },
    p: () => {
      paused = !paused
    },
    ' ': take,
    '\u001b[A': () => {
      offset = Math.max(0, offset - 1)
    },
    '\u001b[B': () => {
      offset = Math.min(Math.max(0, rows.length - 1), offset + 1)
    }
  }
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (!paused) take()
    }, interval)
    const onKey = (data: Buffer): void => {
      const key = data.toString()
      if (key === 'q' || key === '\u0003') end()
      else if (Object.hasOwn(keys, key)) {
        keys[key]?.()
        draw()
      }
    }
    const end = (): void => {
      clearInterval(timer)
      stdin.off('data', onKey).pause()
      stdin.setRawMode(false)
      // The screen before, with its cursor.
      stdout.write('\u001b[?25h\u001b[?1049l')
      resolve()
    }
    process.once('SIGTERM', end).once('SIGHUP', end)
    stdout.on('resize', draw)
    stdin.setRawMode(true)
    stdin.on('data', onKey).on('error', end)
    stdout.write('\u001b[?1049h\u001b[?25l\u001b[2J')
    draw()
  })
}
