import type { HeaderField } from '@rystra/plugin'
import { STATUS_CODES } from 'node:http'
import { displayBody, fieldOf } from './decode.js'
import type { Exchange } from './exchange.js'
import { type IsSecret, maskHeaders } from './mask.js'
import { urlOf } from './view.js'

const named = (fields: readonly HeaderField[]) => fields.map(([name, value]) => ({ name, value }))

const queryOf = (url: string) =>
  (url.split('?')[1] ?? '')
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const [name = '', ...value] = part.split('=')
      return { name, value: value.join('=') }
    })

const timingsOf = ({ times }: Exchange) => {
  const { begun, sent = begun, responded = sent, ended = responded } = times
  return {
    blocked: -1,
    dns: -1,
    ssl: -1,
    connect: sent - begun,
    send: 0,
    wait: responded - sent,
    receive: ended - responded
  }
}

const entryOf = async (exchange: Exchange, isSecret: IsSecret): Promise<object> => {
  const { request, times, status, responseHeaders, requestBody, responseBody } = exchange
  const url = urlOf(exchange, isSecret)
  const sent = await displayBody(requestBody, request.headers)
  const received = await displayBody(responseBody, responseHeaders)
  const timings = timingsOf(exchange)
  const asText = ({ text, base64 }: typeof sent) =>
    text === undefined ? { text: base64 ?? '', encoding: 'base64' } : { text }
  return {
    startedDateTime: new Date(times.begun).toISOString(),
    time: timings.connect + timings.wait + timings.receive,
    request: {
      method: request.method,
      url,
      httpVersion: 'HTTP/1.1',
      cookies: [],
      headers: named(maskHeaders(request.headers, isSecret)),
      queryString: queryOf(url),
      ...(requestBody.length === 0
        ? {}
        : { postData: { mimeType: fieldOf(request.headers, 'content-type') ?? '', ...asText(sent) } }),
      headersSize: -1,
      bodySize: requestBody.length
    },
    response: {
      status,
      statusText: STATUS_CODES[status] ?? '',
      httpVersion: 'HTTP/1.1',
      cookies: [],
      headers: named(maskHeaders(responseHeaders, isSecret)),
      content: {
        size: responseBody.length,
        mimeType: fieldOf(responseHeaders, 'content-type') ?? '',
        ...asText(received),
        ...(received.truncated ? { comment: 'truncated' } : {})
      },
      redirectURL: fieldOf(responseHeaders, 'location') ?? '',
      headersSize: -1,
      bodySize: responseBody.length
    },
    cache: {},
    timings,
    comment: `${exchange.id}, proxy ${request.proxy.name}`
  }
}

/** HTTP Archive 1.2 of exchanges, the oldest first. */
export const harOf = async (exchanges: readonly Exchange[], isSecret: IsSecret): Promise<object> => {
  const entries: object[] = []
  for (const exchange of exchanges) entries.push(await entryOf(exchange, isSecret))
  return { log: { version: '1.2', creator: { name: 'rystra', version: '0.1.0' }, pages: [], entries } }
}
