import type { Exchange } from './exchange.js'
import { type IsSecret, maskHeaders, maskTarget } from './mask.js'

/** Bytes of a body that are searched. */
const SEARCHED_BYTES = 16_384

/** What a list is narrowed by. */
export interface Filter {
  /** In URL, heads and bodies, whatever the case of letters; secrets are not searched. */
  readonly q?: string
  readonly proxy?: string
  readonly method?: string
  /** `404`, `5xx`. */
  readonly status?: string
}

const holds = (exchange: Exchange, wanted: string, isSecret: IsSecret): boolean => {
  const { request, responseHeaders, requestBody, responseBody, protocol = '' } = exchange
  const heads = [...maskHeaders(request.headers, isSecret), ...maskHeaders(responseHeaders, isSecret)]
  const texts = [
    `${request.method} ${request.host}${maskTarget(request.target, isSecret)} ${request.visitor.host} ${protocol}`,
    ...heads.map(([name, value]) => `${name}: ${value}`)
  ]
  if (texts.some((text) => text.toLowerCase().includes(wanted))) return true
  // Compared as bytes of UTF-8: a body may be cut within a character, or be no text.
  const bytes = Buffer.from(wanted).toString('latin1').toLowerCase()
  return [requestBody, responseBody].some((body) =>
    body.bytes().subarray(0, SEARCHED_BYTES).toString('latin1').toLowerCase().includes(bytes)
  )
}

/** Whether an exchange is in a list. */
export const fits = (exchange: Exchange, { q, proxy, method, status }: Filter, isSecret: IsSecret): boolean => {
  const { request } = exchange
  if (proxy !== undefined && request.proxy.name !== proxy) return false
  if (method !== undefined && request.method !== method.toUpperCase()) return false
  if (status !== undefined) {
    const text = String(exchange.status)
    if (/^[1-5]xx$/i.test(status) ? text[0] !== status[0] || text.length !== 3 : text !== status) return false
  }
  return q === undefined || q === '' || holds(exchange, q.toLowerCase(), isSecret)
}
