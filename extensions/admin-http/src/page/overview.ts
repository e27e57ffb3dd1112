import { Chart, rateOf } from './charts.js'
import { el } from './dom.js'
import { bytes, duration, whole } from './format.js'
import type { Tab, View, ViewHost } from './view.js'

const card = (title: string): { element: HTMLElement; set(value: string, more?: string): void } => {
  const value = el('dd', {})
  return {
    element: el('div', { className: 'card' }, el('dt', {}, title), value),
    set: (text, more) => value.replaceChildren(text, ...(more === undefined ? [] : [el('small', {}, more)]))
  }
}

class Overview implements View {
  readonly element: HTMLElement
  readonly #host: ViewHost
  readonly #cards = {
    sessions: card('Sessions'),
    proxies: card('Proxies'),
    streams: card('Streams'),
    carried: card('Carried'),
    refused: card('Refused'),
    connect: card('Time to service'),
    uptime: card('Up'),
    memory: card('Memory')
  }
  readonly #charts = [
    new Chart(
      'Throughput',
      [
        { label: 'to services', color: '--accent', value: rateOf('bytesToService') },
        { label: 'to visitors', color: '--second', value: rateOf('bytesToVisitor') }
      ],
      'bytes'
    ),
    new Chart(
      'Streams',
      [
        { label: 'open', color: '--accent', value: ({ streams }) => streams },
        { label: 'opened per second', color: '--second', value: rateOf('opened') }
      ],
      'count'
    )
  ]
  #events = 0

  constructor(host: ViewHost) {
    this.#host = host
    this.element = el(
      'div',
      { className: 'stack' },
      el('h2', { className: 'hidden' }, 'Overview'),
      el('dl', { className: 'cards' }, ...Object.values(this.#cards).map(({ element }) => element)),
      el('div', { className: 'charts' }, ...this.#charts.map(({ element }) => element))
    )
    this.#show()
    // The charts measure their place in the page.
    requestAnimationFrame(() => this.update('sample'))
  }

  update(what: 'sample' | 'event'): void {
    this.#show()
    if (what === 'sample') for (const chart of this.#charts) chart.update(this.#host.state.samples)
    // Memory and times come with the state, not with the samples.
    this.#events = (this.#events + 1) % 10
    if (what === 'sample' && this.#events === 0) void this.#host.state.refresh().catch(() => {})
  }

  redraw(): void {
    for (const chart of this.#charts) chart.redraw(this.#host.state.samples)
  }

  close(): void {
    for (const chart of this.#charts) chart.close()
  }

  #show(): void {
    const { status, samples } = this.#host.state
    const last = samples.at(-1)
    const { sessions, proxies, streams, carried, refused, connect, uptime, memory } = this.#cards
    const { count, sum } = status.connectTimes
    const [toService, toVisitor] = [
      last?.bytesToService ?? status.bytesToService,
      last?.bytesToVisitor ?? status.bytesToVisitor
    ]
    sessions.set(whole(last?.sessions ?? status.sessions), `${whole(status.sessionsOpened)} so far`)
    proxies.set(whole(last?.proxies ?? status.proxies))
    streams.set(whole(last?.streams ?? status.streams), `${whole(last?.opened ?? status.opened)} so far`)
    carried.set(bytes(toService + toVisitor), `${bytes(toService)} in, ${bytes(toVisitor)} out`)
    refused.set(whole(last?.refused ?? Object.values(status.refused).reduce((all, one) => all + one, 0)))
    connect.set(count === 0 ? '–' : `${Math.round(sum / count)} ms`, 'mean')
    uptime.set(duration((last?.time ?? status.now) - status.since))
    memory.set(bytes(status.process.rss), `event loop ${Math.round(status.process.eventLoopUtilization * 100)} % busy`)
  }
}

export const overview: Tab = { id: 'overview', title: 'Overview', open: (host) => new Overview(host) }
