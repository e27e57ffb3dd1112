import { type ErrorCode, isErrorCode, isExtensionCode, RystraError } from '@rystra/model'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import { createInterface } from 'node:readline'
import type { Place } from './find.js'
import { type ServerSentEvent, serverSentEvents } from './server-sent-events.js'

/** Milliseconds for the head of a response. A reload or a drain takes as long as it takes. */
const CONNECT_TIMEOUT_MS = 5000
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024

interface ProblemDocument {
  readonly code?: unknown
  readonly detail?: unknown
  readonly hint?: unknown
  readonly problems?: unknown
}

/** How a request is made. */
export interface AdminCall {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

/** One page of a list. */
export interface ListPage<Item> {
  readonly items: readonly Item[]
  readonly total: number
  readonly next?: string
}

const unreachable = (place: Place, cause: NodeJS.ErrnoException): RystraError => {
  const where = place.kind === 'unix' ? `unix:${place.path}` : place.url.origin
  if (cause.code === 'EACCES') {
    return new RystraError('admin.forbidden', {
      detail: `${where}: permission denied`,
      hint: 'run the command as the user of the process, or with --admin and a token',
      cause
    })
  }
  if (cause.code === 'ECONNREFUSED' || cause.code === 'ENOENT')
    return new RystraError('admin.not-running', { detail: `at ${where}`, cause })
  return new RystraError('admin.failed', { detail: `${where}: ${cause.message}`, cause })
}

/** What the other process refused, with its code and its words. */
const refusalOf = (status: number, text: string): RystraError => {
  let document: ProblemDocument = {}
  try {
    document = JSON.parse(text) as ProblemDocument
  } catch {}
  const { code, detail, hint, problems } = document
  if (typeof code !== 'string' || !(isErrorCode(code) || isExtensionCode(code)))
    return new RystraError('admin.failed', { detail: `status ${status}${typeof code === 'string' ? `, ${code}` : ''}` })
  const error = new RystraError(code as ErrorCode, typeof hint === 'string' ? { hint } : {})
  // The message is whole already: the table's words, the side, and the detail.
  if (typeof detail === 'string') error.message = detail
  return Object.assign(error, Array.isArray(problems) ? { problems } : {})
}

/** The admin API of a running process. */
export class AdminApi {
  readonly #place: Place

  constructor(place: Place) {
    this.#place = place
  }

  /** Answers with the JSON of the response. Rejects with the code that the process answered, or `admin.*`. */
  async request<Result>(path: string, call: AdminCall = {}): Promise<Result> {
    const text = await this.text(path, call)
    try {
      return (text === '' ? undefined : JSON.parse(text)) as Result
    } catch (error) {
      throw new RystraError('admin.failed', { detail: 'the response is not JSON', cause: error })
    }
  }

  /** The same for a response that is text. */
  async text(path: string, call: AdminCall = {}): Promise<string> {
    const response = await this.#send(path, call)
    const chunks: Buffer[] = []
    let size = 0
    try {
      for await (const chunk of response) {
        chunks.push(chunk as Buffer)
        size += (chunk as Buffer).length
        if (size > MAX_RESPONSE_BYTES) throw new Error('the response is too large')
      }
    } catch (error) {
      response.destroy()
      throw unreachable(this.#place, error as NodeJS.ErrnoException)
    }
    const text = Buffer.concat(chunks).toString()
    const { statusCode: status = 0 } = response
    if (status < 200 || status > 299) throw refusalOf(status, text)
    return text
  }

  /** Lines of a response that goes on, until it ends. `signal` ends it. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const response = await this.#send(path, {})
    if (response.statusCode !== 200) throw await this.#refusal(response)
    const stop = (): void => void response.destroy()
    signal.addEventListener('abort', stop, { once: true })
    try {
      yield* createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })
    } catch (error) {
      if (!signal.aborted) throw unreachable(this.#place, error as NodeJS.ErrnoException)
    } finally {
      signal.removeEventListener('abort', stop)
      response.destroy()
    }
  }

  /** All pages of a list. */
  async list<Item>(path: string, query: Readonly<Record<string, string | undefined>> = {}): Promise<Item[]> {
    const items: Item[] = []
    let cursor: string | undefined
    do {
      const given = Object.entries({ ...query, limit: '10000', cursor }).filter(([, value]) => value !== undefined)
      const page = await this.request<ListPage<Item>>(`${path}?${new URLSearchParams(given as [string, string][])}`)
      items.push(...page.items)
      cursor = page.next
    } while (cursor !== undefined)
    return items
  }

  /** Events, from after an id on. Ends with the connection. `signal` ends it. */
  async *events(
    query: Readonly<Record<string, string>>,
    after: string | undefined,
    signal: AbortSignal
  ): AsyncGenerator<ServerSentEvent> {
    const headers: Record<string, string> = after === undefined ? {} : { 'last-event-id': after }
    const response = await this.#send(`/v1/events?${new URLSearchParams(query)}`, { headers })
    if (response.statusCode !== 200) throw await this.#refusal(response)
    const stop = (): void => void response.destroy()
    signal.addEventListener('abort', stop, { once: true })
    try {
      yield* serverSentEvents(response)
    } catch (error) {
      if (!signal.aborted) throw unreachable(this.#place, error as NodeJS.ErrnoException)
    } finally {
      signal.removeEventListener('abort', stop)
      response.destroy()
    }
  }

  async #refusal(response: IncomingMessage): Promise<RystraError> {
    let text = ''
    for await (const chunk of response) if (text.length < 65_536) text += String(chunk)
    return refusalOf(response.statusCode ?? 0, text)
  }

  #send(path: string, { method = 'GET', body, headers = {} }: AdminCall): Promise<IncomingMessage> {
    const place = this.#place
    const { token, url } = place.kind === 'url' ? place : { token: undefined, url: undefined }
    const isPost = method === 'POST' || method === 'PUT'
    const options = {
      method,
      path,
      agent: false,
      headers: {
        ...headers,
        ...(isPost ? { 'content-type': 'application/json' } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
      },
      ...(place.kind === 'unix'
        ? { socketPath: place.path }
        : { host: place.url.hostname.replace(/^\[|\]$/g, ''), port: place.url.port || undefined })
    }
    return new Promise((resolve, reject) => {
      const request = (url?.protocol === 'https:' ? https : http).request(options)
      const timer = setTimeout(() => request.destroy(new Error('no connection in time')), CONNECT_TIMEOUT_MS)
      request.once('socket', (socket) => {
        if (!socket.connecting) clearTimeout(timer)
        else socket.once('connect', () => clearTimeout(timer))
      })
      request.once('close', () => clearTimeout(timer))
      request.once('error', (error) => reject(unreachable(place, error)))
      request.once('response', resolve)
      request.end(isPost ? JSON.stringify(body ?? {}) : undefined)
    })
  }
}
