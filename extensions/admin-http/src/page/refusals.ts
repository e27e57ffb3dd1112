import { el } from './dom.js'
import { clock, whole } from './format.js'
import { poll, type Tab, type View, type ViewHost } from './view.js'

const MAX_SHOWN = 200

class Refusals implements View {
  readonly element = el('div', { className: 'split' })
  readonly #host: ViewHost
  readonly #stop: () => void

  constructor(host: ViewHost) {
    this.#host = host
    this.update('event')
    // Counts come with the state; the line of the connection tells when it cannot be read.
    this.#stop = poll(
      () => host.state.refresh(),
      5000,
      () => {}
    )
  }

  update(what: 'sample' | 'event'): void {
    if (what !== 'event') return
    const { refusals, status } = this.#host.state
    const codes = Object.entries(status.refused).sort(([, a], [, b]) => b - a)
    this.element.replaceChildren(
      el(
        'section',
        { className: 'panel', 'aria-label': 'Recent refusals' },
        el('h2', {}, 'Recent refusals'),
        refusals.length === 0
          ? el('p', { className: 'empty' }, 'Nothing was refused lately.')
          : el(
              'div',
              { className: 'scroll' },
              el(
                'table',
                {},
                head(['Time', 'What', 'Of', 'Why']),
                el(
                  'tbody',
                  {},
                  ...refusals
                    .slice(0, MAX_SHOWN)
                    .map(({ time, what: kind, subject, message, code, more }) =>
                      el(
                        'tr',
                        {},
                        el('td', {}, clock(time)),
                        el('td', {}, kind),
                        el('td', {}, subject),
                        el('td', { title: code }, more === 0 ? message : `${message} (and ${whole(more)} more)`)
                      )
                    )
                )
              )
            )
      ),
      el(
        'section',
        { className: 'panel', 'aria-label': 'Refusals by code' },
        el('h2', {}, 'By code, since the start'),
        codes.length === 0
          ? el('p', { className: 'empty' }, 'None.')
          : el(
              'table',
              {},
              head(['Code', 'Count'], ['Count']),
              el(
                'tbody',
                {},
                ...codes.map(([code, count]) =>
                  el('tr', {}, el('td', {}, code), el('td', { className: 'number' }, whole(count)))
                )
              )
            )
      )
    )
  }

  close(): void {
    this.#stop()
  }
}

/** The heading of a table; titles in `numbers` stand at the right. */
export const head = (titles: readonly string[], numbers: readonly string[] = []): HTMLElement =>
  el(
    'thead',
    {},
    el(
      'tr',
      {},
      ...titles.map((title) =>
        el('th', { scope: 'col', className: numbers.includes(title) ? 'number' : undefined }, title)
      )
    )
  )

export const refusals: Tab = { id: 'refusals', title: 'Refusals', open: (host) => new Refusals(host) }
