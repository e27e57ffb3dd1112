import type { ProxyView, SessionView, StreamView } from '../schemas.js'
import { list } from './api.js'
import { addProxyDialog } from './add-proxy.js'
import { type Action, showDetails } from './details.js'
import { el, toast } from './dom.js'
import { bytes, duration, whole } from './format.js'
import { type Column, Grid } from './grid.js'
import { poll, type Tab, type View, type ViewHost } from './view.js'

/** How a {@link ListView} shows its rows. */
export interface ListOptions<Row extends object> {
  readonly title: string
  readonly path: string
  readonly columns: readonly Column<Row>[]
  readonly searchHint: string
  readonly empty: string
  /** Milliseconds between two readings. */
  readonly every: number
  name(row: Row): string
  actions(row: Row, host: ViewHost): readonly Action[]
  /** Shows one row. @default its fields and actions */
  open?(row: Row, host: ViewHost, refresh: () => void): void
  /** Buttons beside the search. `search` returns what is searched for. */
  tools?(host: ViewHost, refresh: () => void, search: () => string): readonly HTMLElement[]
}

/** A list that is searched and read again. */
export class ListView<Row extends object> implements View {
  readonly element: HTMLElement
  readonly #options: ListOptions<Row>
  readonly #grid: Grid<Row>
  readonly #count = el('p', { className: 'soft', role: 'status' })
  readonly #search: HTMLInputElement
  readonly #stop: () => void
  #searchTimer: ReturnType<typeof setTimeout> | undefined
  #soon: ReturnType<typeof setTimeout> | undefined

  constructor(host: ViewHost, options: ListOptions<Row>) {
    this.#options = options
    const refresh = (): void => this.#refreshSoon()
    this.#grid = new Grid(options.title, options.columns, (row) => {
      if (options.open !== undefined) options.open(row, host, refresh)
      else showDetails(options.name(row), row, options.actions(row, host), refresh)
    })
    this.#search = el('input', {
      type: 'search',
      placeholder: options.searchHint,
      'aria-label': `Search ${options.title.toLowerCase()}: ${options.searchHint}`,
      oninput: () => {
        clearTimeout(this.#searchTimer)
        this.#searchTimer = setTimeout(() => void this.#read().catch(failed), 250)
      }
    })
    this.element = el(
      'section',
      { className: 'panel', 'aria-label': options.title },
      el(
        'div',
        { className: 'head' },
        el('h2', {}, options.title),
        this.#count,
        el(
          'div',
          { className: 'tools' },
          ...(options.tools?.(host, refresh, () => this.#search.value.trim()) ?? []),
          this.#search
        )
      ),
      this.#grid.element
    )
    this.#stop = poll(() => this.#read(), options.every, failed)
  }

  update(what: 'sample' | 'event'): void {
    if (what === 'event') this.#refreshSoon()
  }

  close(): void {
    this.#stop()
    this.#grid.close()
    clearTimeout(this.#searchTimer)
    clearTimeout(this.#soon)
  }

  /** Many events at once are one reading. */
  #refreshSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      void this.#read().catch(failed)
    }, 300)
  }

  async #read(): Promise<void> {
    const q = this.#search.value.trim()
    const { items, total } = await list<Row>(this.#options.path, q)
    // A search that came meanwhile is read by itself.
    if (!this.element.isConnected || q !== this.#search.value.trim()) return
    this.#grid.set(items, q === '' ? this.#options.empty : `Nothing contains “${q}”.`)
    this.#count.textContent =
      items.length < total ? `the ${whole(items.length)} oldest of ${whole(total)}: search for others` : whole(total)
  }
}

const failed = (error: Error): void => toast(error.message, true)

const path = (of: string, id: string): string => `/v1/${of}/${encodeURIComponent(id)}`

const traffic: readonly Column<{ readonly bytesToService: number; readonly bytesToVisitor: number }>[] = [
  {
    title: 'To service',
    width: 'minmax(70px, 0.6fr)',
    number: true,
    wide: true,
    text: (row) => bytes(row.bytesToService),
    sort: (row) => row.bytesToService
  },
  {
    title: 'To visitor',
    width: 'minmax(70px, 0.6fr)',
    number: true,
    text: (row) => bytes(row.bytesToVisitor),
    sort: (row) => row.bytesToVisitor
  }
]

const streamsColumn: Column<{ readonly streams: number }> = {
  title: 'Streams',
  width: 'minmax(60px, 0.4fr)',
  number: true,
  text: ({ streams }) => whole(streams),
  sort: ({ streams }) => streams
}

export const clients: Tab = {
  id: 'clients',
  title: 'Clients',
  open: (host) =>
    new ListView<SessionView>(host, {
      title: host.state.status.side === 'server' ? 'Clients' : 'Sessions',
      path: '/v1/sessions',
      every: 2000,
      searchHint: 'id, client, identity, address',
      empty: 'No session is up.',
      columns: [
        { title: 'Client', width: 'minmax(100px, 1.4fr)', text: ({ client }) => client },
        { title: 'Identity', width: 'minmax(80px, 1fr)', wide: true, text: ({ identity }) => identity },
        { title: 'Address', width: 'minmax(120px, 1.2fr)', wide: true, text: ({ peer }) => peer },
        { title: 'Transport', width: 'minmax(70px, 0.6fr)', wide: true, text: ({ transport }) => transport },
        {
          title: 'Up',
          width: 'minmax(80px, 0.7fr)',
          number: true,
          wide: true,
          text: ({ since }) => duration(Date.now() - since),
          sort: ({ since }) => -since
        },
        {
          title: 'Round trip',
          width: 'minmax(70px, 0.5fr)',
          number: true,
          wide: true,
          text: ({ rtt }) => (rtt === undefined ? '' : `${Math.round(rtt)} ms`),
          sort: ({ rtt }) => rtt ?? 0
        },
        {
          title: 'Proxies',
          width: 'minmax(60px, 0.4fr)',
          number: true,
          wide: true,
          text: ({ proxies }) => whole(proxies),
          sort: ({ proxies }) => proxies
        },
        streamsColumn,
        ...traffic
      ],
      name: ({ client }) => `Client ${client}`,
      actions: ({ id, client }, { may }) =>
        may('operate')
          ? [
              {
                title: 'End session',
                prompt: `End the session of ${client}? Its streams are reset; it dials again.`,
                method: 'DELETE',
                path: path('sessions', id),
                done: `The session of ${client} was ended.`
              },
              {
                title: 'End for good',
                prompt: `End the session of ${client} for good? Its streams are reset; it gives up.`,
                method: 'DELETE',
                path: `${path('sessions', id)}?final=true`,
                done: `The session of ${client} was ended for good.`
              }
            ]
          : []
    })
}

export const proxies: Tab = {
  id: 'proxies',
  title: 'Proxies',
  open: (host) =>
    new ListView<ProxyView>(host, {
      title: 'Proxies',
      path: '/v1/proxies',
      every: 2000,
      searchHint: 'name, kind, address, client',
      empty: 'Nothing is published.',
      columns: [
        { title: 'Name', width: 'minmax(90px, 1.2fr)', text: ({ name }) => name },
        { title: 'Kind', width: 'minmax(60px, 0.5fr)', wide: true, text: ({ kind }) => kind },
        {
          title: 'State',
          width: 'minmax(80px, 0.7fr)',
          text: ({ state, healthy }) => (healthy ? state : `${state}, unhealthy`)
        },
        {
          title: 'Address',
          width: 'minmax(130px, 1.6fr)',
          wide: true,
          text: ({ address, error }) => address ?? error?.message ?? ''
        },
        { title: 'Client', width: 'minmax(90px, 1fr)', wide: true, text: ({ client }) => client ?? '' },
        streamsColumn,
        ...traffic
      ],
      name: ({ name }) => `Proxy ${name}`,
      actions: ({ id, name }, { may }) =>
        may('operate')
          ? [
              {
                title: 'Take back',
                prompt: `Take ${name} back? Visitors cannot reach it any more; open streams go on.`,
                method: 'DELETE',
                path: path('proxies', id),
                done: `${name} was taken back.`
              }
            ]
          : [],
      tools: ({ may, state }, refresh) =>
        may('operate')
          ? [el('button', { type: 'button', onclick: () => addProxyDialog(state.status.side, refresh) }, 'Add proxy')]
          : []
    })
}

export const streams: Tab = {
  id: 'streams',
  title: 'Streams',
  open: (host) =>
    new ListView<StreamView>(host, {
      title: 'Streams',
      path: '/v1/streams',
      every: 3000,
      searchHint: 'id, proxy, visitor, client',
      empty: 'No stream is open.',
      columns: [
        { title: 'Proxy', width: 'minmax(80px, 1fr)', text: ({ proxy }) => proxy },
        { title: 'Visitor', width: 'minmax(120px, 1.2fr)', text: ({ visitor }) => visitor },
        { title: 'Client', width: 'minmax(90px, 1fr)', wide: true, text: ({ client }) => client },
        {
          title: 'Open for',
          width: 'minmax(80px, 0.7fr)',
          number: true,
          wide: true,
          text: ({ openedAt }) => duration(Date.now() - openedAt),
          sort: ({ openedAt }) => -openedAt
        },
        {
          title: 'To service in',
          width: 'minmax(80px, 0.6fr)',
          number: true,
          wide: true,
          text: ({ connectTime }) => (connectTime === undefined ? '' : `${Math.round(connectTime)} ms`),
          sort: ({ connectTime }) => connectTime ?? 0
        },
        ...traffic
      ],
      name: ({ id }) => `Stream ${id}`,
      actions: ({ id }, { may }) =>
        may('operate')
          ? [
              {
                title: 'Reset',
                prompt: `Reset the stream ${id}?`,
                method: 'DELETE',
                path: path('streams', id),
                done: `The stream ${id} was reset.`
              }
            ]
          : []
    })
}
