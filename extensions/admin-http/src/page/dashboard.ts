import { ApiError, token } from './api.js'
import { certificates } from './certificates.js'
import { cluster } from './cluster.js'
import { configuration } from './configuration.js'
import { announce, byId, el } from './dom.js'
import { extensions } from './extensions.js'
import { clients, proxies, streams } from './lists.js'
import { overview } from './overview.js'
import { refusals } from './refusals.js'
import { requests } from './requests.js'
import { State } from './state.js'
import { applyTheme, nextTheme } from './theme.js'
import type { Tab, View, ViewHost } from './view.js'

const tabs: readonly Tab[] = [
  overview,
  clients,
  proxies,
  streams,
  requests,
  refusals,
  certificates,
  cluster,
  extensions,
  configuration
]
const scopes = ['read', 'operate', 'admin']

const main = byId('main')
let state: State | undefined
let view: View | undefined

const closeView = (): void => {
  view?.close()
  view = undefined
}

/** Asks for a token; says why the last one did not do. */
const login = (problem = ''): void => {
  state?.stop()
  state = undefined
  closeView()
  byId('header').hidden = true
  const input = el('input', { type: 'password', name: 'token', required: true, autocomplete: 'current-password' })
  main.replaceChildren(
    el(
      'section',
      { className: 'panel login', 'aria-label': 'Log in' },
      el('h1', {}, el('img', { src: 'icon.svg', alt: '', width: 24, height: 24 }), 'Rystra'),
      el(
        'form',
        {
          onsubmit: (event: SubmitEvent) => {
            event.preventDefault()
            token.set(input.value.trim())
            void begin()
          }
        },
        el('label', {}, 'Token of the admin API', input),
        el('p', { className: 'error', role: 'alert' }, problem),
        el('button', { type: 'submit', className: 'main' }, 'Log in')
      )
    )
  )
  input.focus()
}

const markTab = (id: string): void => {
  for (const link of document.querySelectorAll('#tabs a')) {
    if (link.getAttribute('href') === `#${id}`) {
      link.setAttribute('aria-current', 'page')
      link.scrollIntoView({ block: 'nearest', inline: 'nearest' })
    } else link.removeAttribute('aria-current')
  }
}

const showTabs = (present: State): void => {
  const shown = tabs.filter(({ exists }) => exists?.(present) !== false)
  byId('tabs').replaceChildren(...shown.map(({ id, title }) => el('li', {}, el('a', { href: `#${id}` }, title))))
}

const openTab = (host: ViewHost, id: string): void => {
  const tab = tabs.find((one) => one.id === id && one.exists?.(host.state) !== false) ?? overview
  closeView()
  view = tab.open(host)
  main.replaceChildren(view.element)
  markTab(tab.id)
  document.title = `${tab.title} – Rystra ${host.state.status.side}`
}

const showConnection = (connected: boolean): void => {
  const line = byId('connection')
  line.textContent = connected ? 'live' : 'connection lost, trying again …'
  line.classList.toggle('lost', !connected)
}

const run = (present: State): void => {
  const { side, caller } = present.status
  state = present
  const host: ViewHost = {
    state: present,
    may: (scope) => scopes.indexOf(present.status.caller.scope) >= scopes.indexOf(scope)
  }
  byId('header').hidden = false
  byId('side').textContent = `${side}, ${caller.name} (${caller.scope})`
  showTabs(present)
  showConnection(true)
  present.onChange = (what) => {
    if (what === 'connection') showConnection(present.connected)
    else if (what === 'capabilities') {
      const current = document.querySelector('#tabs a[aria-current]')?.getAttribute('href') ?? '#'
      showTabs(present)
      markTab(current.slice(1))
    } else view?.update(what)
  }
  present.onDenied = () => login('The token is not valid any more.')
  window.onhashchange = () => {
    if (state !== present) return
    openTab(host, location.hash.slice(1))
    announce(document.title)
    main.focus()
  }
  openTab(host, location.hash.slice(1))
  void present.run()
}

/** Begins with the token that there is. */
const begin = async (): Promise<void> => {
  try {
    run(await State.load())
  } catch (error) {
    const denied = error instanceof ApiError && error.status === 401
    login(denied ? 'The token is not valid.' : (error as Error).message)
    if (denied) token.drop()
  }
}

const themeButton = byId('theme')
const showTheme = (): void => {
  themeButton.textContent = `Theme: ${applyTheme()}`
  view?.redraw?.()
}
themeButton.addEventListener('click', () => {
  nextTheme()
  showTheme()
})
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => view?.redraw?.())
byId('logout').addEventListener('click', () => {
  token.drop()
  login()
})
showTheme()
if (token.take() === undefined) login()
else void begin()
