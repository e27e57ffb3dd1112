import { el } from './dom.js'
import { whole } from './format.js'
import { head } from './refusals.js'
import { poll, type Tab, type View, type ViewHost } from './view.js'

/** States with what they mean for this server. */
const meanings = {
  joining: 'it is joining',
  up: 'the directory answers',
  away: 'the directory does not answer',
  fenced: 'the directory has not answered for so long that other servers may have its names',
  left: 'it has left'
} as const

class Cluster implements View {
  readonly element = el('section', { className: 'panel', 'aria-label': 'Cluster' })
  readonly #host: ViewHost
  readonly #stop: () => void

  constructor(host: ViewHost) {
    this.#host = host
    this.update()
    // The line of the connection tells when the state cannot be read.
    this.#stop = poll(
      () => host.state.refresh(),
      3000,
      () => {}
    )
  }

  update(): void {
    const { cluster } = this.#host.state.status
    if (cluster === undefined) {
      this.element.replaceChildren(el('p', { className: 'empty' }, 'This server is in no cluster any more.'))
      return
    }
    const { name, cluster: of, state, members, forwarded } = cluster
    const good = state === 'up' || state === 'joining'
    this.element.replaceChildren(
      el('div', { className: 'head' }, el('h2', {}, `Cluster ${of}`), el('span', { className: 'soft' }, name)),
      el('p', { className: good ? '' : 'error' }, `${state}: ${meanings[state]}`),
      el('p', { className: 'soft' }, `${whole(forwarded)} open streams of its visitors are served by other servers.`),
      el(
        'div',
        { className: 'scroll' },
        el(
          'table',
          {},
          head(['Server', 'Host', 'Port'], ['Port']),
          el(
            'tbody',
            {},
            ...members.map((member) =>
              el(
                'tr',
                {},
                el('td', {}, member.self ? `${member.name} (this one)` : member.name),
                el('td', {}, member.host),
                el('td', { className: 'number' }, String(member.port))
              )
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

/** The servers that act as one with this server. */
export const cluster: Tab = {
  id: 'cluster',
  title: 'Cluster',
  exists: ({ status }) => status.cluster !== undefined,
  open: (host) => new Cluster(host)
}
