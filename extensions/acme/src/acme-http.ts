import type { Clock } from '@rystra/plugin'
import { once } from 'node:events'
import { Agent, request } from 'node:https'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { OrderFailure } from './failure.js'

/** Time for one request to be answered. */
const REQUEST_TIMEOUT_MS = 30_000

/** Maximum size of an answer: chains of certificates have some 10 KiB. */
const MAX_ANSWER_BYTES = 256 * 1024

/** Longest wait that an authority can ask for. */
const MAX_PAUSE_MS = 24 * 60 * 60 * 1000

/** Longest text of an authority that goes to logs. */
const MAX_DETAIL = 512

const ERROR_PREFIX = 'urn:ietf:params:acme:error:'

/** An answer, as acme-client reads it. */
export interface AcmeAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The object of a JSON answer; the text of any other. */
  readonly data: unknown
}

/** What an answer says is wrong, RFC 8555 §6.7. */
interface AcmeProblem {
  readonly type: string
  readonly detail: string
}

/** Text of an authority without what a terminal would interpret. */
export const safeText = (text: unknown): string =>
  typeof text === 'string' ? text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, MAX_DETAIL) : ''

const problemOf = (data: unknown): AcmeProblem => {
  const { type, detail } = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>
  return { type: typeof type === 'string' ? type.replace(ERROR_PREFIX, '') : '', detail: safeText(detail) }
}

/** Milliseconds that `Retry-After` asks to wait, RFC 9110 §10.2.3. */
const pauseOf = (value: string | undefined, now: number): number => {
  if (value === undefined) return 0
  const until = /^\d{1,10}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now
  return Number.isFinite(until) ? Math.min(MAX_PAUSE_MS, Math.max(0, until)) : 0
}

const accountErrors =
  /^(externalAccountRequired|userActionRequired|invalidContact|unsupportedContact|unauthorized|accountDoesNotExist|badPublicKey|badSignatureAlgorithm)$/

const failureOf = ({ status, headers, data }: AcmeAnswer, now: number): OrderFailure => {
  const { type, detail } = problemOf(data)
  const said = `${type === '' ? `status ${status}` : type}${detail === '' ? '' : `: ${detail}`}`
  const pause = pauseOf(headers['retry-after'], now)
  if (type === 'rateLimited' || status === 429 || status === 503) return new OrderFailure('rate-limited', said, pause)
  if (status >= 500 || type === '') return new OrderFailure('directory', said, pause)
  return new OrderFailure(accountErrors.test(type) ? 'account' : 'order', said, pause)
}

/** Requests to one authority: bounded in time and size, without redirects and without retries. */
export class AcmeHttp {
  readonly #agent: Agent
  readonly #clock: Clock

  /** @param ca PEM of the authorities that are trusted for the connection. @default those of Node */
  constructor(clock: Clock, ca: string | undefined) {
    this.#clock = clock
    this.#agent = new Agent({ keepAlive: true, maxSockets: 4, ...(ca === undefined ? {} : { ca }) })
  }

  close(): void {
    this.#agent.destroy()
  }

  /** Rejects with an {@link OrderFailure}; not for `badNonce`, which acme-client handles. */
  async request(url: string, method: string, body: unknown, signal: AbortSignal): Promise<AcmeAnswer> {
    const answer = await this.#send(url, method, body, signal)
    if (answer.status < 400 || problemOf(answer.data).type === 'badNonce') return answer
    throw failureOf(answer, this.#clock.now())
  }

  async #send(url: string, method: string, body: unknown, signal: AbortSignal): Promise<AcmeAnswer> {
    const where = URL.canParse(url) ? new URL(url) : undefined
    if (where?.protocol !== 'https:') throw new OrderFailure('directory', 'it names a URL that is not https')
    const ended = new AbortController()
    const cancel = this.#clock.after(REQUEST_TIMEOUT_MS, () => ended.abort())
    try {
      const sent = request(where, {
        method: method.toUpperCase(),
        agent: this.#agent,
        headers: { 'Content-Type': 'application/jose+json', 'User-Agent': 'rystra-acme' },
        signal: AbortSignal.any([signal, ended.signal])
      })
      sent.end(body === undefined ? undefined : JSON.stringify(body))
      const [message] = (await once(sent, 'response')) as [IncomingMessage]
      return await read(message)
    } catch (error) {
      if (error instanceof OrderFailure) throw error
      if (signal.aborted) throw signal.reason
      const reason = ended.signal.aborted ? `no answer within ${REQUEST_TIMEOUT_MS} ms` : (error as Error).message
      throw new OrderFailure('directory', `${where.host}: ${safeText(reason)}`)
    } finally {
      cancel()
    }
  }
}

const read = async (message: IncomingMessage): Promise<AcmeAnswer> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_ANSWER_BYTES)
      throw new OrderFailure('directory', `an answer has more than ${MAX_ANSWER_BYTES} bytes`)
    chunks.push(chunk)
  }
  const { statusCode: status = 0, headers } = message
  const text = Buffer.concat(chunks).toString('utf8')
  // An answer to HEAD has the type of its body, and no body.
  if (text === '' || !/^application\/([a-z.+-]*\+)?json\b/i.test(headers['content-type'] ?? ''))
    return { status, headers, data: text }
  try {
    return { status, headers, data: JSON.parse(text) as unknown }
  } catch {
    throw new OrderFailure('directory', `an answer with status ${status} is malformed JSON`)
  }
}
