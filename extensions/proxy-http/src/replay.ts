import { type ExchangeObserver, type ReplayRequest, RystraError, toRystraError } from '@rystra/plugin'
import http, { type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { flat, isField, isReserved, isToken, paired } from './fields.js'
import { StreamAgent } from './stream-agent.js'

const agent = new StreamAgent()

/** Milliseconds without progress after which a replay is given up. */
const IDLE_TIMEOUT_MS = 30_000

/** Bytes of a response that are read, kept or not. */
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024

const MAX_HEAD_BYTES = 64 * 1024

const invalid = (detail: string): RystraError => new RystraError('usage.invalid', { detail: `replay: ${detail}` })

/** Throws unless it can be a request. */
const check = ({ method, target, headers }: ReplayRequest): void => {
  if (!isToken(method) || method.length > 32 || method === 'CONNECT') throw invalid('the method is not valid')
  if (!/^\/[\x21\x22\x24-\x7e]*$/.test(target)) throw invalid('the target is not a path and query')
  const unfit = headers.find((field) => !isField(field))
  if (unfit !== undefined) throw invalid(`the header field ${JSON.stringify(unfit[0].slice(0, 80))} is not valid`)
}

/** What goes out: fields about the connection and the framing are made anew. */
const fieldsOf = ({ headers, body, mark }: ReplayRequest): string[] => {
  const kept = headers.filter(([name]) => {
    const lower = name.toLowerCase()
    return lower === 'host' || (!isReserved(lower) && !/^(content-length|expect|x-rystra-replay)$/.test(lower))
  })
  const host = kept.some(([name]) => name.toLowerCase() === 'host') ? [] : ['Host', 'localhost']
  const length = body.length > 0 ? ['Content-Length', String(body.length)] : []
  return [...host, ...flat(kept), ...length, 'X-Rystra-Replay', mark, 'Connection', 'close']
}

/** Sends a request over a connection of its own to a service, and reports what comes of it. */
export const replayThrough = async (
  open: () => Promise<Duplex>,
  request: ReplayRequest,
  observer: ExchangeObserver
): Promise<void> => {
  check(request)
  if (request.body.length > 0) observer.requestData(request.body)
  let service: Duplex
  try {
    service = await open()
  } catch (error) {
    observer.end(toRystraError(error, 'stream.service-unreachable'))
    return
  }
  service.on('error', () => {})
  const error = await exchange(service, request, observer).catch((thrown: unknown) =>
    toRystraError(thrown, 'stream.reset', { side: 'client' })
  )
  service.destroy()
  observer.end(error)
}

const exchange = (
  service: Duplex,
  request: ReplayRequest,
  observer: ExchangeObserver
): Promise<RystraError | undefined> =>
  new Promise((resolve, reject) => {
    let bytes = 0
    const sent = http.request({
      method: request.method,
      path: request.target,
      headers: fieldsOf(request),
      maxHeaderSize: MAX_HEAD_BYTES,
      agent,
      stream: service
    } as http.RequestOptions)
    const timer = setTimeout(() => reject(new RystraError('stream.timeout', { side: 'client' })), IDLE_TIMEOUT_MS)
    const settle = (error?: RystraError): void => {
      clearTimeout(timer)
      resolve(error)
    }
    sent.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    sent.on('upgrade', (response) => {
      observer.response(101, paired(response.rawHeaders))
      observer.upgraded(response.headers.upgrade ?? '')
      settle()
    })
    sent.on('response', (response: IncomingMessage) => {
      timer.refresh()
      observer.response(response.statusCode ?? 0, paired(response.rawHeaders))
      response.on('data', (chunk: Buffer) => {
        timer.refresh()
        bytes += chunk.length
        observer.responseData(chunk)
        if (bytes > MAX_RESPONSE_BYTES)
          settle(new RystraError('stream.reset', { side: 'server', detail: 'the response of a replay is too large' }))
      })
      response.on('end', () => settle())
      response.on('error', reject)
    })
    observer.sent()
    sent.end(request.body)
  })
