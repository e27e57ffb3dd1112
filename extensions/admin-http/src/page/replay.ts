import { request } from './api.js'
import { el, toast } from './dom.js'
import { type Exchange, type ExchangeRow, exchangePath, failed, ms } from './inspect-api.js'

type Fields = readonly (readonly [string, string])[]

const linesOf = (headers: Fields): string => headers.map(([name, value]) => `${name}: ${value}`).join('\n')

/** Fields from lines. Throws for a line without a colon. */
const fieldsOf = (lines: string): Fields =>
  lines
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const at = line.indexOf(':')
      if (at <= 0) throw new Error(`fields: “${line}” is not of the form “name: value”`)
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()] as const
    })

/** Sends a request again, as it was or edited. `follow` opens the exchange that this makes. */
export const replayForm = (exchange: Exchange, follow: (to: ExchangeRow) => void): HTMLElement => {
  const { method, url, request: sent } = exchange
  const target = url.replace(/^https?:\/\/[^/]*/, '')
  const shownBody = sent.body.text ?? ''
  const shownFields = linesOf(sent.headers)
  const send = async (edit: Record<string, unknown>): Promise<void> => {
    const replayed = await request<Exchange>(`${exchangePath(exchange)}/replay`, 'POST', edit)
    toast(`Status ${replayed.status} after ${ms(replayed.duration)}.`)
    follow(replayed)
  }
  const methodField = el('input', { value: method, maxlength: 32 })
  const targetField = el('input', { value: target })
  const headersField = el('textarea', { rows: 6, spellcheck: 'false' })
  headersField.value = shownFields
  const bodyField = el('textarea', { rows: 4, spellcheck: 'false' })
  bodyField.value = shownBody
  /** What was changed; what was not stays as it was, byte by byte. */
  const edited = (): Record<string, unknown> => ({
    ...(methodField.value === method ? {} : { method: methodField.value }),
    ...(targetField.value === target ? {} : { target: targetField.value }),
    ...(headersField.value === shownFields ? {} : { headers: fieldsOf(headersField.value) }),
    ...(bodyField.value === shownBody ? {} : { text: bodyField.value })
  })
  const sendEdited = async (): Promise<void> => send(edited())
  return el(
    'details',
    {},
    el('summary', {}, 'Send it again'),
    el(
      'div',
      { className: 'stack' },
      el('label', {}, 'Method', methodField),
      el('label', {}, 'Path and query', targetField),
      el('label', {}, 'Header fields, one in a line; a masked value stays what it was', headersField),
      el('label', {}, sent.body.truncated ? 'Body (truncated: it is sent only when it was edited)' : 'Body', bodyField),
      el(
        'div',
        { className: 'buttons' },
        el('button', { type: 'button', onclick: () => void send({}).catch(failed) }, 'Send as it was'),
        el(
          'button',
          { type: 'button', className: 'main', onclick: () => void sendEdited().catch(failed) },
          'Send edited'
        )
      )
    )
  )
}
