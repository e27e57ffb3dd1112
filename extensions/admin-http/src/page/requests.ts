import { ApiError, request, text } from './api.js'
import { el, toast } from './dom.js'
import { bytes, clock } from './format.js'
import { ListView } from './lists.js'
import type { Tab, ViewHost } from './view.js'

/** Routes of inspect-http; this page knows their answers, and not the extension. */
const base = '/v1/extensions/inspect'

interface Row {
  readonly id: string
  readonly time: number
  readonly proxy: string
  readonly visitor: string
  readonly method: string
  readonly url: string
  readonly status: number
  readonly duration?: number
  readonly responseLength: number
  readonly protocol?: string
  readonly replayOf?: string
  readonly error?: string
}

interface Message {
  readonly headers: readonly (readonly [string, string])[]
  readonly body: {
    readonly length: number
    readonly truncated: boolean
    readonly text?: string
    readonly base64?: string
    readonly problem?: string
  }
}

interface Whole extends Row {
  readonly request: Message
  readonly response?: Message
  readonly timeline: { readonly sent?: number; readonly responded?: number; readonly ended?: number }
  readonly message?: string
}

/** Whether requests are kept. */
export const hasRequests = async (): Promise<boolean> => {
  try {
    await request(`${base}/exchanges?limit=1`)
    return true
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return false
    throw error
  }
}

const path = ({ id }: Row): string => `${base}/exchanges/${encodeURIComponent(id)}`
const ms = (value: number | undefined): string => (value === undefined ? '–' : `${Math.round(value)} ms`)

const bodyElement = ({ length, truncated, text: shown, base64, problem }: Message['body']): HTMLElement => {
  if (length === 0) return el('p', { className: 'soft' }, 'No body.')
  const notes = [bytes(length), ...(truncated ? ['truncated'] : []), ...(problem === undefined ? [] : [problem])]
  return el(
    'div',
    {},
    el('p', { className: 'soft' }, notes.join(', ')),
    el('pre', { className: 'body', tabindex: 0 }, shown ?? base64 ?? '')
  )
}

const messageElement = (title: string, { headers, body }: Message): HTMLElement =>
  el(
    'section',
    { 'aria-label': title },
    el('h3', {}, title),
    el('dl', { className: 'fields' }, ...headers.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
    bodyElement(body)
  )

const failed = (error: unknown): void => toast((error as Error).message, true)

/** Opens one request. */
const open = async (row: Row, host: ViewHost, refresh: () => void): Promise<void> => {
  const whole = await request<Whole>(path(row))
  const { method, url, status, timeline, request: sent, response, message } = whole
  const target = url.replace(/^https?:\/\/[^/]*/, '')
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(await text(`${path(row)}/curl`))
    toast('The command is in the clipboard.')
  }
  const again = async (): Promise<void> => {
    const body: Record<string, unknown> = {}
    if (methodField.value !== method) body['method'] = methodField.value
    if (targetField.value !== target) body['target'] = targetField.value
    if (bodyField.value !== (sent.body.text ?? '')) body['text'] = bodyField.value
    const replayed = await request<Whole>(`${path(row)}/replay`, 'POST', body)
    toast(`Status ${replayed.status} after ${ms(replayed.duration)}.`)
    dialog.close()
    refresh()
    await open(replayed, host, refresh)
  }
  const methodField = el('input', { value: method, maxlength: 32 })
  const targetField = el('input', { value: target, className: 'long' })
  const bodyField = el('textarea', { rows: 4 })
  bodyField.value = sent.body.text ?? ''
  const replay = el(
    'details',
    {},
    el('summary', {}, 'Send it again'),
    el('label', {}, 'Method', methodField),
    el('label', {}, 'Path and query', targetField),
    el('label', {}, 'Body', bodyField),
    el('button', { type: 'button', className: 'main', onclick: () => void again().catch(failed) }, 'Send')
  )
  const dialog = el(
    'dialog',
    { 'aria-label': `${method} ${url}`, className: 'exchange' },
    el('h2', {}, `${method} ${url}`),
    el(
      'p',
      { className: 'soft' },
      `Status ${status === 0 ? '–' : status}. Visitor ${row.visitor} → proxy ${row.proxy} → service: reached ${ms(timeline.sent)}, head ${ms(timeline.responded)}, end ${ms(timeline.ended)}.`
    ),
    ...(message === undefined ? [] : [el('p', { className: 'error' }, message)]),
    messageElement('Request', sent),
    ...(response === undefined ? [] : [messageElement('Response', response)]),
    ...(host.may('operate') && whole.protocol === undefined ? [replay] : []),
    el(
      'div',
      { className: 'buttons' },
      el('button', { type: 'button', onclick: () => void copy().catch(failed) }, 'Copy as curl'),
      el('button', { type: 'button', className: 'main', autofocus: true, onclick: () => dialog.close() }, 'Close')
    )
  )
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}

const download = async (): Promise<void> => {
  const archive = await request<object>(`${base}/har`)
  const url = URL.createObjectURL(new Blob([JSON.stringify(archive, null, 2)], { type: 'application/json' }))
  el('a', { href: url, download: 'requests.har' }).click()
  URL.revokeObjectURL(url)
}

/** HTTP requests that were seen. */
export const requests: Tab = {
  id: 'requests',
  title: 'Requests',
  open: (host) =>
    new ListView<Row>(host, {
      title: 'Requests',
      path: `${base}/exchanges`,
      searchHint: 'URL, heads, bodies',
      empty: 'No request was seen yet.',
      every: 2000,
      name: ({ method, url }) => `${method} ${url}`,
      actions: () => [],
      open: (row, to, refresh) => void open(row, to, refresh).catch(failed),
      tools: () => [el('button', { type: 'button', onclick: () => void download().catch(failed) }, 'HAR')],
      columns: [
        { title: 'Time', width: '90px', text: ({ time }) => clock(time), sort: ({ time }) => -time },
        { title: 'Method', width: '80px', text: ({ method }) => method },
        { title: 'URL', width: 'minmax(140px, 3fr)', text: ({ url }) => url },
        {
          title: 'Status',
          width: '110px',
          text: ({ status, error, protocol }) => error ?? protocol ?? String(status),
          sort: ({ status }) => status
        },
        {
          title: 'Duration',
          width: '90px',
          number: true,
          text: ({ duration }) => (duration === undefined ? 'open' : ms(duration)),
          sort: ({ duration = 0 }) => duration
        },
        {
          title: 'Size',
          width: '80px',
          number: true,
          wide: true,
          text: ({ responseLength }) => bytes(responseLength),
          sort: ({ responseLength }) => responseLength
        },
        { title: 'Proxy', width: 'minmax(80px, 1fr)', wide: true, text: ({ proxy }) => proxy },
        { title: 'Visitor', width: 'minmax(100px, 1fr)', wide: true, text: ({ visitor }) => visitor }
      ]
    })
}
