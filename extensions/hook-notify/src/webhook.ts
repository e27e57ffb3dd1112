import { createHash, createHmac } from 'node:crypto'
import type { Attempt, Target } from './delivery.js'
import type { Notification } from './notification.js'
import type { WebhookOptions } from './options.js'

/** Answers after which another attempt can help. */
const retried = new Set([408, 425, 429])

const keyOf = (secret: string): Buffer =>
  secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)

/** The signature of Standard Webhooks: HMAC-SHA256 over id, time in seconds, and body. */
export const signatureOf = (secret: string, id: string, seconds: number, body: string): string =>
  `v1,${createHmac('sha256', keyOf(secret)).update(`${id}.${seconds}.${body}`).digest('base64')}`

/** Milliseconds of a Retry-After header, in seconds or as a date. */
const retryAfter = (header: string | null, now: number): number => {
  if (header === null) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isFinite(ms) ? Math.max(0, ms) : 0
}

/** Scheme and host of a URL, and a hash that tells it from others: all the rest may be a secret, as the path is of chat services. */
const nameOf = (url: string): string => {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}#${createHash('sha256').update(url).digest('hex').slice(0, 8)}`
}

const reasonOf = (error: unknown, signal: AbortSignal): string => {
  if (signal.aborted) return 'no answer in time'
  const { cause, message } = error as Error
  return cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : message
}

/** Posts notifications as JSON. Redirects are not followed: they could lead into a network that the target has no right to. */
export class Webhook implements Target {
  readonly name: string
  readonly #options: WebhookOptions
  readonly #url: string
  readonly #authorization: Record<string, string>

  /** @throws TypeError for a URL that is not valid */
  constructor(options: WebhookOptions) {
    const url = new URL(options.webhook)
    const { username, password } = url
    // `fetch` refuses credentials in a URL.
    url.username = ''
    url.password = ''
    const basic = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
    this.#authorization = username === '' && password === '' ? {} : { authorization: `Basic ${basic}` }
    this.#options = options
    this.#url = url.href
    this.name = nameOf(options.webhook)
  }

  async send(notification: Notification, lost: number, signal: AbortSignal): Promise<Attempt> {
    const { secret, headers = {}, timeout } = this.#options
    const body = JSON.stringify(lost === 0 ? notification : { ...notification, lost })
    const seconds = Math.floor(Date.now() / 1000)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)])
    try {
      const answer = await fetch(this.#url, {
        method: 'POST',
        redirect: 'manual',
        signal: limit,
        body,
        headers: {
          ...this.#authorization,
          ...headers,
          'content-type': 'application/json',
          'user-agent': 'rystra-notify',
          'webhook-id': notification.id,
          'webhook-timestamp': String(seconds),
          ...(secret === undefined ? {} : { 'webhook-signature': signatureOf(secret, notification.id, seconds, body) })
        }
      })
      // The body is of no interest, however long it is.
      await answer.body?.cancel().catch(() => {})
      if (answer.ok) return { ok: true }
      const { status } = answer
      if (status >= 300 && status < 400)
        return { ok: false, retry: false, reason: `redirected (${status}), which is not followed` }
      const retry = status >= 500 || retried.has(status)
      return {
        ok: false,
        retry,
        reason: `status ${status}`,
        wait: retryAfter(answer.headers.get('retry-after'), Date.now())
      }
    } catch (error) {
      return { ok: false, retry: true, reason: reasonOf(error, limit) }
    }
  }
}
