import { request } from './api.js'
import { el, toast } from './dom.js'

/** Asks for a proxy and adds it. */
export const addProxyDialog = (side: string, onDone: () => void): void => {
  const problem = el('p', { className: 'error', role: 'alert' })
  const field = (name: string, label: string, more: Record<string, string | boolean> = {}): HTMLLabelElement =>
    el('label', {}, label, el('input', { name, autocomplete: 'off', ...more }))
  const form: HTMLFormElement = el(
    'form',
    {
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault()
        void add()
      }
    },
    el('h2', {}, 'Add a proxy'),
    ...(side === 'server' ? [field('session', 'Client, which has to accept it', { required: true })] : []),
    field('name', 'Name', { required: true, maxlength: '128' }),
    field('kind', 'Kind', { required: true, value: 'tcp' }),
    field('local', 'Service, as the client reaches it', { required: true, placeholder: '127.0.0.1:3000' }),
    field('port', 'Public port (none: any free one)', { type: 'number', min: '0', max: '65535' }),
    field('more', 'Further fields, as JSON', { placeholder: '{"subdomain": "app"}' }),
    ...(side === 'server'
      ? [
          el(
            'label',
            { className: 'check' },
            el('input', { type: 'checkbox', name: 'persist' }),
            'Keep it over restarts'
          )
        ]
      : []),
    problem,
    el(
      'div',
      { className: 'buttons' },
      el('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel'),
      el('button', { type: 'submit', className: 'main' }, 'Add')
    )
  )
  const add = async (): Promise<void> => {
    const given = Object.fromEntries(new FormData(form)) as Record<string, string>
    const { name = '', kind = '', local = '', port = '', more = '', session = '', persist } = given
    try {
      const further = more.trim() === '' ? {} : (JSON.parse(more) as object)
      const spec = { ...further, name, kind, local, ...(port === '' ? {} : { port: Number(port) }) }
      const body = { spec, persist: persist !== undefined, ...(session === '' ? {} : { session }) }
      const made = await request<{ state: string; address?: string }>('/v1/proxies', 'POST', body)
      toast(`${name} is ${made.address === undefined ? made.state : `published on ${made.address}`}.`)
      dialog.close()
      onDone()
    } catch (error) {
      problem.textContent = (error as Error).message
    }
  }
  const dialog = el('dialog', { 'aria-label': 'Add a proxy' }, form)
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
