import { RystraError } from '@rystra/plugin'
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Answer, Asked, Listener, Question } from './ask.js'
import { flat } from './fields.js'
import { part } from './part.js'

/** Puts each request on the stream that was chosen for it. */
class Handing extends Agent {
  addRequest(request: ClientRequest & { onSocket(stream: Duplex): void }, { stream }: { stream: Duplex }): void {
    request.onSocket(stream)
  }
}

const handing = new Handing({ keepAlive: true })

/** Methods whose requests have no body as a rule: others without one say so. */
const bodiless = /^(GET|HEAD|DELETE|OPTIONS|TRACE)$/

const answerOf = (response: IncomingMessage): Answer => ({
  status: response.statusCode ?? 0,
  message: response.statusMessage ?? '',
  raw: response.rawHeaders,
  connection: response.headers.connection,
  trailer: response.headers['transfer-encoding'] === undefined ? undefined : response.headers.trailer,
  length: response.headers['content-length'],
  body: response,
  trailers: () => response.rawTrailers
})

/** Asks a service by HTTP/1.1. `stream` says `free` when it may be used again. */
export const askH1 = (question: Question, stream: Duplex, maxHeadSize: number, listener: Listener): Asked => {
  const { method, target, headers, authority, hasBody, length, upgrade } = question
  const raw = ['Host', authority]
  raw.push(...flat(headers))
  if (upgrade !== undefined) raw.push('Connection', 'Upgrade', 'Upgrade', upgrade)
  else if (question.wantsTrailers) raw.push('Connection', 'keep-alive, TE', 'TE', 'trailers')
  if (length !== undefined) raw.push('Content-Length', String(length))
  else if (hasBody) raw.push('Transfer-Encoding', 'chunked')
  else if (!bodiless.test(method)) raw.push('Content-Length', '0')
  if (question.expect && hasBody) raw.push('Expect', '100-continue')
  const options = { agent: handing, stream, method, path: target, headers: raw, maxHeaderSize: maxHeadSize }
  const request = httpRequest(options as object)
  // Node leaves out what is above; who counts wants all.
  request.maxHeadersCount = 0
  let over = false
  const fail = (error: Error & { code?: string }): void => {
    if (over) return
    over = true
    listener.onFailure(error, error.code === 'ECONNRESET' ? 'lost' : undefined)
  }
  let answered: IncomingMessage | undefined
  request.on('error', (error) => {
    // What comes behind a whole answer costs its connection, and not the answer.
    if (answered?.complete !== true) fail(error)
  })
  request.on('continue', () => listener.onContinue())
  request.on('information', ({ statusCode, rawHeaders }) => {
    if (statusCode !== 100) listener.onInformation(statusCode, pairs(rawHeaders))
  })
  request.on('response', (response) => {
    answered = response
    const coding = response.headers['transfer-encoding']
    // Its body would go on in a coding that nobody tells the visitor of, RFC 9112 §6.1.
    if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
      fail(new RystraError('stream.reset', { side: 'client', detail: `its answer is coded in ${coding.slice(0, 64)}` }))
      request.destroy()
      return
    }
    response.on('error', fail)
    response.on('end', () => {
      over = true
      // Node ends it, and waits for the service for as long as that likes.
      if (!request.shouldKeepAlive) part(stream)
    })
    listener.onAnswer(answerOf(response))
  })
  request.on('upgrade', (response, service, head) => {
    if (upgrade === undefined || over) {
      service.destroy()
      fail(new RystraError('stream.reset', { side: 'client', detail: 'it changed the protocol unasked' }))
      return
    }
    over = true
    listener.onUpgrade(answerOf(response), service, head)
  })
  if (hasBody) request.flushHeaders()
  return {
    body: request,
    end(trailers) {
      if (trailers.length > 0 && length === undefined) request.addTrailers(trailers as [string, string][])
      request.end()
    },
    abort() {
      over = true
      request.destroy()
    }
  }
}

const pairs = (raw: readonly string[]): [string, string][] => {
  const fields: [string, string][] = []
  for (let index = 0; index < raw.length; index += 2) fields.push([raw[index] as string, raw[index + 1] as string])
  return fields
}
