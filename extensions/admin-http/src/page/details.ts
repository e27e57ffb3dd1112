import { confirmed, el, toast } from './dom.js'
import { request } from './api.js'
import { bytes } from './format.js'

/** Something that can be done about what is shown. */
export interface Action {
  readonly title: string
  readonly prompt: string
  readonly method: 'DELETE' | 'POST'
  readonly path: string
  readonly done: string
}

const times = new Set(['since', 'openedAt', 'expires', 'next'])

const shown = (name: string, value: unknown): string => {
  if (times.has(name) && typeof value === 'number') return new Date(value).toLocaleString()
  if (name.startsWith('bytes') && typeof value === 'number') return bytes(value)
  return typeof value === 'object' && value !== null ? JSON.stringify(value, null, 1) : String(value)
}

const isEmpty = (value: unknown): boolean =>
  value === undefined || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)

/** Shows everything that is known of one thing, and what can be done about it. */
export const showDetails = (title: string, fields: object, actions: readonly Action[], onDone: () => void): void => {
  const run = async (action: Action): Promise<void> => {
    if (!(await confirmed(action.prompt, action.title))) return
    try {
      await request(action.path, action.method)
      toast(action.done)
      dialog.close()
      onDone()
    } catch (error) {
      toast((error as Error).message, true)
    }
  }
  const dialog = el(
    'dialog',
    { 'aria-label': title },
    el('h2', {}, title),
    el(
      'dl',
      { className: 'fields' },
      ...Object.entries(fields)
        .filter(([, value]) => !isEmpty(value))
        .flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, shown(name, value))])
    ),
    el(
      'div',
      { className: 'buttons' },
      ...actions.map((action) =>
        el('button', { type: 'button', className: 'bad', onclick: () => void run(action) }, action.title)
      ),
      el('button', { type: 'button', className: 'main', autofocus: true, onclick: () => dialog.close() }, 'Close')
    )
  )
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
