import type { Page } from '../schemas.js'

const tokenKey = 'rystra.token'

/** An answer that is a problem document, or no answer. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** The token of this tab: gone with it. A link may carry it behind `#token=`, which no server sees. */
export const token = {
  take(): string | undefined {
    const [, given] = /^#token=(.+)$/.exec(location.hash) ?? []
    if (given !== undefined) {
      sessionStorage.setItem(tokenKey, decodeURIComponent(given))
      history.replaceState(null, '', location.pathname)
    }
    return sessionStorage.getItem(tokenKey) ?? undefined
  },
  set: (value: string): void => sessionStorage.setItem(tokenKey, value),
  drop: (): void => sessionStorage.removeItem(tokenKey)
}

const headers = (): Record<string, string> => ({ authorization: `Bearer ${sessionStorage.getItem(tokenKey) ?? ''}` })

const failed = async (response: Response): Promise<ApiError> => {
  const document = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; hint?: string }
  const { code = 'admin.failed', detail = `status ${response.status}`, hint } = document
  return new ApiError(response.status, code, hint === undefined ? detail : `${detail}. Next: ${hint}.`)
}

/** One request. Rejects with an {@link ApiError}. */
export const request = async <Result>(path: string, method = 'GET', body?: object): Promise<Result> => {
  const answer = await text(path, method, body)
  return (answer === '' ? undefined : JSON.parse(answer)) as Result
}

/** The same for an answer that is text. */
export const text = async (path: string, method = 'GET', body?: object): Promise<string> => {
  const isPost = method === 'POST' || method === 'PUT'
  const response = await fetch(path, {
    method,
    headers: { ...headers(), ...(isPost ? { 'content-type': 'application/json' } : {}) },
    ...(isPost ? { body: JSON.stringify(body ?? {}) } : {})
  }).catch((error: unknown) => {
    throw new ApiError(0, 'admin.not-running', (error as Error).message)
  })
  if (!response.ok) throw await failed(response)
  return response.text()
}

/** Items of all pages, `most` at most; and how many there are. */
export const list = async <Item>(path: string, q = '', most = 10_000): Promise<Page<Item>> => {
  const items: Item[] = []
  let total = 0
  let cursor: string | undefined
  do {
    const query = new URLSearchParams({
      limit: '10000',
      ...(q === '' ? {} : { q }),
      ...(cursor === undefined ? {} : { cursor })
    })
    const page = await request<Page<Item>>(`${path}?${query}`)
    items.push(...page.items)
    total = page.total
    cursor = page.next
  } while (cursor !== undefined && items.length < most)
  return { items, total }
}

/** One server-sent event. */
export interface Event {
  readonly id: string | undefined
  readonly type: string
  readonly data: Record<string, unknown>
}

const parse = (block: string): Event | undefined => {
  const fields: Record<string, string> = {}
  for (const line of block.split('\n')) {
    const [, name, value = ''] = /^(id|event|data): ?(.*)$/.exec(line) ?? []
    if (name !== undefined) fields[name] = value
  }
  const { id, event = 'message', data } = fields
  return data === undefined ? undefined : { id, type: event, data: JSON.parse(data) as Record<string, unknown> }
}

/** Reads events until the connection ends; EventSource could not send the token. */
export const readEvents = async (
  after: string | undefined,
  onEvent: (event: Event) => void,
  signal: AbortSignal
): Promise<void> => {
  const response = await fetch('/v1/events?samples=true', {
    headers: { ...headers(), ...(after === undefined ? {} : { 'last-event-id': after }) },
    signal
  })
  if (!response.ok || response.body === null) throw await failed(response)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    text += value
    const blocks = text.split('\n\n')
    text = blocks.pop() ?? ''
    for (const block of blocks) {
      const event = parse(block)
      if (event !== undefined) onEvent(event)
    }
  }
}
