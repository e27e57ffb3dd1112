import type { StatusView } from '../schemas.js'
import { ApiError, request, token } from './api.js'
import { configuration } from './configuration.js'
import { announce, byId, el } from './dom.js'
import { extensions } from './extensions.js'
import { clients, proxies, streams } from './lists.js'
import { overview } from './overview.js'
import { refusals } from './refusals.js'
import { hasRequests, requests } from './requests.js'
import { State } from './state.js'
import { applyTheme, nextTheme } from './theme.js'
import type { Tab, View, ViewHost } from './view.js'

const tabs: Tab[] = [overview, clients, proxies, streams, refusals, extensions, configuration]
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

const openTab = (host: ViewHost, id: string): void => {
  const tab = tabs.find((one) => one.id === id) ?? overview
  closeView()
  view = tab.open(host)
  main.replaceChildren(view.element)
  for (const link of document.querySelectorAll('#tabs a')) {
    if (link.getAttribute('href') === `#${tab.id}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  document.title = `${tab.title} – Rystra ${host.state.status.side}`
}

const showConnection = (connected: boolean): void => {
  const line = byId('connection')
  line.textContent = connected ? 'live' : 'connection lost, trying again …'
  line.classList.toggle('lost', !connected)
}

const run = (first: StatusView): void => {
  const present = new State(first)
  state = present
  const host: ViewHost = {
    state: present,
    may: (scope) => scopes.indexOf(present.status.caller.scope) >= scopes.indexOf(scope)
  }
  byId('header').hidden = false
  byId('side').textContent = `${first.side}, ${first.caller.name} (${first.caller.scope})`
  byId('tabs').replaceChildren(...tabs.map(({ id, title }) => el('li', {}, el('a', { href: `#${id}` }, title))))
  showConnection(true)
  present.onChange = (what) => {
    if (what === 'connection') showConnection(present.connected)
    else view?.update(what)
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
    const status = await request<StatusView>('/v1/status')
    if (!tabs.includes(requests) && (await hasRequests())) tabs.splice(tabs.indexOf(streams) + 1, 0, requests)
    run(status)
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
