import { type HeaderField, type Static, Type } from '@rystra/plugin'
import { displayBody } from './decode.js'
import type { Exchange } from './exchange.js'
import { type IsSecret, maskHeaders, maskTarget } from './mask.js'

const text = (description: string) => Type.String({ description })
const optional = Type.Optional
const milliseconds = (description: string) => Type.Number({ description: `${description} Milliseconds.` })

/** One exchange in a list. */
export const ExchangeSummary = Type.Object({
  id: text('Id of the exchange.'),
  time: Type.Integer({ description: 'When the head was read, in milliseconds since the epoch.' }),
  proxy: text('Name of the proxy.'),
  client: text('`client.id` of its session.'),
  visitor: text('Address of the visitor.'),
  method: Type.String(),
  url: text('Scheme, host, path and query, as the visitor asked.'),
  status: Type.Integer({ description: '0 without a response.' }),
  duration: optional(milliseconds('From the head of the request to the end of the response; absent while it is open.')),
  requestLength: Type.Integer({ description: 'Bytes of the body.' }),
  responseLength: Type.Integer({ description: 'Bytes of the body.' }),
  protocol: optional(text('What it was upgraded to: `websocket`.')),
  replayOf: optional(text('Id of the exchange that it repeats.')),
  error: optional(text('Error code of what was refused or broken off.'))
})
export type ExchangeSummary = Static<typeof ExchangeSummary>

const body = Type.Object({
  length: Type.Integer({ description: 'Bytes of the whole, as it was on the wire.' }),
  truncated: Type.Boolean({ description: 'Whether not all of it was kept.' }),
  text: optional(text('Decoded, where it is text.')),
  base64: optional(text('As it was on the wire, where it is no text or cannot be decoded.')),
  problem: optional(text('Why it was not decoded.'))
})
const headers = Type.Array(Type.Tuple([Type.String(), Type.String()]), { description: 'Names and values, in order.' })

/** One exchange with heads, bodies and times. */
export const ExchangeView = Type.Composite([
  ExchangeSummary,
  Type.Object({
    request: Type.Object({ headers, body }),
    response: optional(Type.Object({ headers, body })),
    timeline: Type.Object(
      {
        sent: optional(milliseconds('Until the service was reached and the head was sent.')),
        responded: optional(milliseconds('Until the head of the response was there.')),
        ended: optional(milliseconds('Until the response was over.'))
      },
      { description: 'Since the head of the request was read.' }
    ),
    message: optional(text('What was refused or broken off, for people.'))
  })
])
export type ExchangeView = Static<typeof ExchangeView>

/** Fields that may say the port at which the visitor asked. */
const withPort = ['x-forwarded-host', 'host']

/** The host with the port, where a field of the request says it: a Host that was rewritten is of the service. */
const authorityOf = ({ request: { host, headers } }: Exchange): string => {
  for (const wanted of withPort) {
    const [, value = ''] = headers.find(([name]) => name.toLowerCase() === wanted) ?? []
    const port = value.slice(host.length)
    if (value.slice(0, host.length).toLowerCase() === host && /^:\d{1,5}$/.test(port)) return `${host}${port}`
  }
  return host
}

/** The URL that the visitor asked for. */
export const urlOf = (exchange: Exchange, isSecret: IsSecret): string => {
  const { secure, target } = exchange.request
  return `${secure ? 'https' : 'http'}://${authorityOf(exchange)}${maskTarget(target, isSecret)}`
}

export const summaryOf = (exchange: Exchange, isSecret: IsSecret): ExchangeSummary => {
  const { id, request, status, times, protocol, replayOf, error, requestBody, responseBody } = exchange
  return {
    id,
    time: times.begun,
    proxy: request.proxy.name,
    client: request.session.client.id,
    visitor: request.visitor.host,
    method: request.method,
    url: urlOf(exchange, isSecret),
    status,
    ...(times.ended === undefined ? {} : { duration: times.ended - times.begun }),
    requestLength: requestBody.length,
    responseLength: responseBody.length,
    ...(protocol === undefined ? {} : { protocol }),
    ...(replayOf === undefined ? {} : { replayOf }),
    ...(error === undefined ? {} : { error: error.code })
  }
}

export const viewOf = async (exchange: Exchange, isSecret: IsSecret): Promise<ExchangeView> => {
  const { request, times, status, responseHeaders, error } = exchange
  const since = (time: number | undefined, name: string) => (time === undefined ? {} : { [name]: time - times.begun })
  const shown = (fields: readonly HeaderField[]) => maskHeaders(fields, isSecret)
  return {
    ...summaryOf(exchange, isSecret),
    request: { headers: shown(request.headers), body: await displayBody(exchange.requestBody, request.headers) },
    ...(status === 0
      ? {}
      : {
          response: { headers: shown(responseHeaders), body: await displayBody(exchange.responseBody, responseHeaders) }
        }),
    timeline: {
      ...since(times.sent, 'sent'),
      ...since(times.responded, 'responded'),
      ...since(times.ended, 'ended')
    },
    ...(error === undefined ? {} : { message: error.message })
  }
}
