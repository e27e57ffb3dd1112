import type { ExtensionView, Page } from '../schemas.js'
import { request } from './api.js'
import { el, toast } from './dom.js'
import { whole } from './format.js'
import { head } from './refusals.js'
import { poll, type Tab, type View } from './view.js'

const taps = (extension: ExtensionView): HTMLElement | undefined =>
  extension.taps.length === 0
    ? undefined
    : el(
        'div',
        { className: 'scroll' },
        el(
          'table',
          {},
          head(['Hook', 'Stage', 'Calls', 'Mean time', 'Errors'], ['Calls', 'Mean time', 'Errors']),
          el(
            'tbody',
            {},
            ...extension.taps.map(({ hook, stage, calls, totalMs, errors, authenticator }) =>
              el(
                'tr',
                {},
                el('td', {}, authenticator === undefined ? hook : `${hook} (${authenticator})`),
                el('td', {}, String(stage)),
                el('td', { className: 'number' }, whole(calls)),
                el('td', { className: 'number' }, calls === 0 ? '–' : `${(totalMs / calls).toFixed(3)} ms`),
                el('td', { className: errors > 0 ? 'number error' : 'number' }, whole(errors))
              )
            )
          )
        )
      )

const panel = (extension: ExtensionView): HTMLElement =>
  el(
    'section',
    { className: 'panel', 'aria-label': `Extension ${extension.name}` },
    el(
      'div',
      { className: 'head' },
      el('h2', {}, extension.name),
      el(
        'span',
        { className: 'soft' },
        extension.package === undefined ? 'of this project' : `${extension.package.name} ${extension.package.version}`
      ),
      extension.codeChanged === true
        ? el('span', { className: 'error' }, 'its code has changed: restart to load it')
        : undefined
    ),
    el(
      'p',
      { className: 'soft' },
      extension.registers.length === 0 ? 'registers nothing' : `registers ${extension.registers.join(', ')}`
    ),
    taps(extension)
  )

class Extensions implements View {
  readonly element = el('div', { className: 'charts' })
  readonly #stop = poll(
    async () => {
      const { items } = await request<Page<ExtensionView>>('/v1/extensions')
      this.element.replaceChildren(...items.map(panel))
    },
    5000,
    (error) => toast(error.message, true)
  )

  update(): void {}

  close(): void {
    this.#stop()
  }
}

export const extensions: Tab = { id: 'extensions', title: 'Extensions', open: () => new Extensions() }
