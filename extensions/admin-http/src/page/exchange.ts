import { request, text } from './api.js'
import { el, toast } from './dom.js'
import { bytes } from './format.js'
import { type Exchange, type ExchangeRow, exchangePath, failed, type Message, ms } from './inspect-api.js'
import { replayForm } from './replay.js'
import type { ViewHost } from './view.js'

const bodyElement = (
  title: string,
  { length, truncated, text: shown, base64, problem }: Message['body']
): HTMLElement => {
  if (length === 0) return el('p', { className: 'soft' }, 'No body.')
  const notes = [
    bytes(length),
    ...(truncated ? ['truncated'] : []),
    ...(shown === undefined ? ['base64'] : []),
    ...(problem === undefined ? [] : [problem])
  ]
  return el(
    'div',
    {},
    el('p', { className: 'soft' }, notes.join(', ')),
    el(
      'pre',
      { className: 'body', tabindex: 0, 'aria-label': `Body of the ${title.toLowerCase()}` },
      shown ?? base64 ?? ''
    )
  )
}

const messageElement = (title: string, { headers, body }: Message): HTMLElement =>
  el(
    'section',
    { 'aria-label': title },
    el('h3', {}, title),
    el('dl', { className: 'fields' }, ...headers.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])),
    bodyElement(title, body)
  )

/** The steps of an exchange one below another, each as long as it took. */
const timelineElement = ({ timeline: { sent, responded, ended } }: Exchange): HTMLElement => {
  const steps: [title: string, from: number, to: number | undefined][] = [
    ['To the service', 0, sent],
    ['Wait for its response', sent ?? 0, responded],
    ['Response to the visitor', responded ?? sent ?? 0, ended]
  ]
  const whole = Math.max(1, ended ?? 0, responded ?? 0, sent ?? 0)
  return el(
    'dl',
    { className: 'timeline', 'aria-label': 'Time line' },
    ...steps.flatMap(([title, from, to]) => {
      const bar = el('span', { className: 'bar' })
      bar.style.marginInlineStart = `${(from / whole) * 100}%`
      bar.style.width = `${to === undefined ? 0 : Math.max(0.5, ((to - from) / whole) * 100)}%`
      return [
        el('dt', {}, title),
        el('dd', {}, el('span', { className: 'track' }, bar), el('span', {}, ms(to === undefined ? to : to - from)))
      ]
    })
  )
}

/** Copies a text; shows it where the browser does not let pages write to the clipboard. */
const copyText = async (copied: string): Promise<void> => {
  try {
    await navigator.clipboard.writeText(copied)
    toast('The command is in the clipboard.')
  } catch {
    const area = el('textarea', { rows: 8, readonly: true, 'aria-label': 'Command' })
    area.value = copied
    const dialog = el(
      'dialog',
      { 'aria-label': 'Command', className: 'exchange' },
      el('h2', {}, 'Copy this command'),
      area,
      el('div', { className: 'buttons' }, el('button', { type: 'button', onclick: () => dialog.close() }, 'Close'))
    )
    dialog.addEventListener('close', () => dialog.remove())
    document.body.append(dialog)
    dialog.showModal()
    area.select()
  }
}

/** Opens one request. @param secrets Whether secrets are shown: needs the scope admin */
export const openExchange = async (
  row: ExchangeRow,
  host: ViewHost,
  refresh: () => void,
  secrets = false
): Promise<void> => {
  const query = secrets ? '?secrets=true' : ''
  const whole = await request<Exchange>(`${exchangePath(row)}${query}`)
  const { method, url, status, request: sent, response, message, proxy, client, visitor, protocol, replayOf } = whole
  const follow = (to: ExchangeRow, shown = false): void => {
    dialog.close()
    refresh()
    void openExchange(to, host, refresh, shown).catch(failed)
  }
  const button = (title: string, onclick: () => void, className?: string): HTMLButtonElement =>
    el('button', { type: 'button', className, onclick }, title)
  const dialog = el(
    'dialog',
    { 'aria-label': `${method} ${url}`, className: 'exchange' },
    // The beginning is in view, and not the buttons at the end.
    el('h2', { tabindex: -1, autofocus: true }, `${method} ${url}`),
    el(
      'p',
      { className: 'soft' },
      `Status ${status === 0 ? '–' : status}${protocol === undefined ? '' : `, ${protocol}`}. ` +
        `Visitor ${visitor} → proxy ${proxy} → client ${client} → service.` +
        (replayOf === undefined ? '' : ` Replay of ${replayOf}.`)
    ),
    ...(message === undefined ? [] : [el('p', { className: 'error' }, message)]),
    timelineElement(whole),
    messageElement('Request', sent),
    ...(response === undefined ? [] : [messageElement('Response', response)]),
    ...(host.may('operate') && protocol === undefined ? [replayForm(whole, follow)] : []),
    el(
      'div',
      { className: 'buttons' },
      ...(host.may('admin') ? [button(secrets ? 'Mask secrets' : 'Show secrets', () => follow(row, !secrets))] : []),
      button(
        'Copy as curl',
        () =>
          void text(`${exchangePath(row)}/curl${query}`)
            .then(copyText)
            .catch(failed)
      ),
      el('button', { type: 'button', className: 'main', onclick: () => dialog.close() }, 'Close')
    )
  )
  dialog.addEventListener('close', () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
}
