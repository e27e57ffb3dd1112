import { request } from './api.js'
import { confirmed, el, toast } from './dom.js'
import { head } from './refusals.js'
import type { Tab, View, ViewHost } from './view.js'

interface Plan {
  readonly same: boolean
  readonly streams: number
  readonly items: readonly {
    readonly action: string
    readonly subject: string
    readonly name: string
    readonly detail?: string
  }[]
  readonly problems: readonly { readonly path: string; readonly reason: string }[]
}

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent']

class Configuration implements View {
  readonly element: HTMLElement
  readonly #host: ViewHost
  readonly #text = el('pre', { tabindex: 0, 'aria-label': 'Configuration in force' })
  readonly #plan = el('div', { 'aria-live': 'polite' })
  readonly #level: HTMLSelectElement

  constructor(host: ViewHost) {
    this.#host = host
    const { logLevel } = host.state.status
    this.#level = el(
      'select',
      {
        disabled: logLevel === undefined || !host.may('operate'),
        onchange: () => void this.#setLevel().catch(failed)
      },
      ...(logLevel === undefined ? [el('option', {}, 'not known')] : []),
      ...levels.map((level) => el('option', { value: level, selected: level === logLevel }, level))
    )
    this.element = el(
      'div',
      { className: 'charts' },
      el(
        'section',
        { className: 'panel', 'aria-label': 'Configuration' },
        el(
          'div',
          { className: 'head' },
          el('h2', {}, 'Configuration in force'),
          el('span', { className: 'soft' }, 'secrets are left out')
        ),
        this.#text
      ),
      el(
        'section',
        { className: 'panel', 'aria-label': 'Changes' },
        el('h2', {}, 'Changes'),
        el('label', {}, 'Level of the log', this.#level),
        el(
          'div',
          { className: 'tools' },
          el(
            'button',
            { type: 'button', disabled: !host.may('operate'), onclick: () => void this.#showPlan().catch(failed) },
            'What would a reload do?'
          ),
          el(
            'button',
            {
              type: 'button',
              className: 'main',
              disabled: !host.may('admin'),
              onclick: () => void this.#reload().catch(failed)
            },
            'Reload'
          )
        ),
        host.may('admin') ? undefined : el('p', { className: 'soft' }, 'A reload needs a token of scope admin.'),
        this.#plan
      )
    )
    void this.#read().catch(failed)
  }

  update(): void {
    const { logLevel } = this.#host.state.status
    if (logLevel !== undefined && document.activeElement !== this.#level) this.#level.value = logLevel
  }

  close(): void {}

  async #read(): Promise<void> {
    this.#text.textContent = JSON.stringify(await request('/v1/config'), null, 2)
  }

  async #setLevel(): Promise<void> {
    const { level } = await request<{ level: string }>('/v1/log-level', 'PUT', { level: this.#level.value })
    toast(`The level of the log is ${level}.`)
    await this.#host.state.refresh()
  }

  async #showPlan(): Promise<void> {
    const { same, streams, items, problems } = await request<Plan>('/v1/plan', 'POST')
    const changes = items.filter(({ action }) => action !== 'keep')
    this.#plan.replaceChildren(
      ...(problems.length > 0
        ? [
            el('h3', { className: 'error' }, 'It would fail'),
            ...problems.map(({ path, reason }) => el('p', { className: 'error' }, `${path}: ${reason}`))
          ]
        : [
            el('p', {}, same ? 'Nothing has changed.' : `${changes.length} changes; ${streams} open streams would end.`)
          ]),
      ...(changes.length === 0
        ? []
        : [
            el(
              'table',
              {},
              head(['What', 'Which', 'Why']),
              el(
                'tbody',
                {},
                ...changes.map(({ action, subject, name, detail = '' }) =>
                  el('tr', {}, el('td', {}, `${action} ${subject}`), el('td', {}, name), el('td', {}, detail))
                )
              )
            )
          ])
    )
  }

  async #reload(): Promise<void> {
    if (!(await confirmed('Read the configuration again and put it in force?', 'Reload'))) return
    await request('/v1/reload', 'POST')
    toast('Reloaded.')
    await this.#read()
  }
}

const failed = (error: Error): void => toast(error.message, true)

export const configuration: Tab = {
  id: 'configuration',
  title: 'Configuration',
  open: (host) => new Configuration(host)
}
