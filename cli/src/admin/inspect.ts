import type { ExchangeSummary, ExchangeView } from '@rystra/inspect-http'
import { RystraError } from '@rystra/model'
import { writeFile } from 'node:fs/promises'
import type { AdminApi } from './admin-api.js'
import { bytesText, plainText } from './text.js'
import { writeLine } from './write-line.js'

const base = '/v1/extensions/inspect'

/** Characters of a body that are shown. */
const MAX_SHOWN = 4096

/** The flags that say what is done. */
export interface InspectOptions {
  readonly show?: string | undefined
  readonly replay?: string | undefined
  readonly curl?: string | undefined
  readonly har?: string | undefined
  readonly list: boolean
  readonly search?: string | undefined
  readonly status?: string | undefined
  readonly secrets: boolean
  readonly method?: string | undefined
  readonly target?: string | undefined
  readonly data?: string | undefined
}

/** One line of the list. */
const exchangeLine = (one: ExchangeSummary): string => {
  const { id, time, method, url, status, duration, responseLength, protocol, replayOf, error } = one
  const at = new Date(time).toISOString().slice(11, 19)
  const took = duration === undefined ? 'open' : `${Math.round(duration)} ms`
  const notes = [protocol, replayOf === undefined ? undefined : `replay of ${replayOf}`, error].filter(Boolean)
  const more = notes.length === 0 ? '' : `  (${notes.join(', ')})`
  return plainText(
    `${id.padEnd(10)} ${at} ${String(status || '-').padStart(3)} ${took.padStart(8)} ${bytesText(responseLength).padStart(8)}  ${method} ${url}${more}`
  )
}

/** Text of several lines without what a terminal interprets. */
const plainLines = (text: string): string => text.split(/\r?\n/).map(plainText).join('\n')

const bodyText = ({ length, truncated, text, base64, problem }: ExchangeView['request']['body']): string => {
  if (length === 0) return ''
  const notes = [
    `${bytesText(length)}`,
    ...(truncated ? ['truncated'] : []),
    ...(problem === undefined ? [] : [problem])
  ]
  const shown = text === undefined ? `base64: ${base64 ?? ''}` : text
  const cut = shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown
  return `\n\n${plainLines(cut)}\n[${notes.join(', ')}]`
}

const headText = (fields: readonly (readonly [string, string])[]): string =>
  fields.map(([name, value]) => plainText(`${name}: ${value}`)).join('\n')

/** An exchange for people. */
export const exchangeText = (one: ExchangeView): string => {
  const { request, response, timeline, status, method, url, message } = one
  const ms = (value: number | undefined): string => (value === undefined ? '-' : `${Math.round(value)} ms`)
  const times = `service reached ${ms(timeline.sent)}, head ${ms(timeline.responded)}, end ${ms(timeline.ended)}`
  return [
    exchangeLine(one),
    `${plainText(one.visitor)} → proxy ${plainText(one.proxy)} → client ${plainText(one.client)} → service: ${times}`,
    '',
    plainText(`${method} ${url}`),
    `${headText(request.headers)}${bodyText(request.body)}`,
    '',
    ...(response === undefined
      ? ['No response.']
      : [`Status ${status}`, `${headText(response.headers)}${bodyText(response.body)}`]),
    ...(message === undefined ? [] : ['', plainText(message)])
  ].join('\n')
}

const missing = (error: unknown): never => {
  const { code } = error as { code?: string }
  if (code !== 'admin.not-found') throw error
  throw new RystraError('admin.not-found', {
    detail: 'the process does not inspect requests',
    hint: 'add @rystra/inspect-http to its configuration, and reload it; `rystra expose http` has it by itself'
  })
}

/** What is asked for once: one exchange, a replay, a file or a list. `undefined`: nothing of these, so that requests are followed. */
export const inspectOnce = async (
  api: AdminApi,
  options: InspectOptions
): Promise<{ readonly result: unknown; readonly text: string } | undefined> => {
  const { show, replay, curl, har, list, search, status, secrets } = options
  const filter = { q: search, status }
  const given = Object.entries(filter).filter((pair): pair is [string, string] => pair[1] !== undefined)
  const query = new URLSearchParams(Object.fromEntries([...given, ...(secrets ? [['secrets', 'true']] : [])]))
  const at = (id: string): string => `${base}/exchanges/${encodeURIComponent(id)}`
  const withSecrets = secrets ? '?secrets=true' : ''
  try {
    if (show !== undefined) {
      const result = await api.request<ExchangeView>(`${at(show)}${withSecrets}`)
      return { result, text: exchangeText(result) }
    }
    if (curl !== undefined) {
      const text = await api.text(`${at(curl)}/curl${withSecrets}`)
      return { result: { curl: text }, text: plainLines(text.trimEnd()) }
    }
    if (replay !== undefined) {
      const { method, target, data } = options
      const edit = { method, target, text: data }
      const body = Object.fromEntries(Object.entries(edit).filter(([, value]) => value !== undefined))
      const result = await api.request<ExchangeView>(`${at(replay)}/replay`, { method: 'POST', body })
      return { result, text: exchangeText(result) }
    }
    if (har !== undefined) {
      const archive = await api.request<{ log: { entries: unknown[] } }>(`${base}/har?${query}`)
      // Requests may hold anything, passwords in forms among it.
      await writeFile(har, `${JSON.stringify(archive, null, 2)}\n`, { mode: 0o600 }).catch(
        (cause: NodeJS.ErrnoException) => {
          throw new RystraError('file.failed', { detail: `${har}: ${cause.code ?? 'failed'}`, cause })
        }
      )
      const { length } = archive.log.entries
      return {
        result: { har, entries: length },
        text: `${har} has ${length} ${length === 1 ? 'request' : 'requests'}.`
      }
    }
    if (!list && search === undefined && status === undefined) return undefined
    const items = (await api.list<ExchangeSummary>(`${base}/exchanges`, filter)).reverse()
    const text = items.length === 0 ? 'No requests.' : items.map(exchangeLine).join('\n')
    return { result: { items, total: items.length }, text }
  } catch (error) {
    return missing(error)
  }
}

/** Writes each request that ends, until a signal. */
export const followRequests = async (api: AdminApi, json: boolean): Promise<void> => {
  const stop = new AbortController()
  const end = (): void => stop.abort()
  process.once('SIGINT', end).once('SIGTERM', end)
  process.stdout.once('error', end)
  try {
    for await (const line of api.lines(`${base}/live`, stop.signal)) {
      if (line.trim() === '') continue
      await writeLine(json ? line : exchangeLine(JSON.parse(line) as ExchangeSummary), stop.signal)
    }
  } catch (error) {
    missing(error)
  }
}
