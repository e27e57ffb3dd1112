import { RystraError } from '@rystra/plugin'
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { byName, joinCookies, paired } from './fields.js'
import { resetH2 } from './reset-h2.js'
import type { PendingRequest, UpstreamHandler, UpstreamRequest, UpstreamResponse } from './upstream.js'

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = http2.constants

const rawHeadersOf = (headers: IncomingHttpHeaders): string[] => {
  const raw: string[] = []
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue
    for (const one of Array.isArray(value) ? value : [value]) raw.push(name, one)
  }
  return raw
}

const headOf = (request: UpstreamRequest): http2.OutgoingHttpHeaders => {
  const { method, target, headers, authority, secure, hasBody, length, upgrade } = request
  // Of the handshake, RFC 8441 §5 leaves out what frames it.
  const fields =
    upgrade === undefined ? headers : headers.filter(([name]) => name.toLowerCase() !== 'sec-websocket-key')
  return {
    ...byName(joinCookies(fields)),
    ':method': upgrade === undefined ? method : 'CONNECT',
    ...(upgrade === undefined ? {} : { ':protocol': upgrade }),
    ':path': target,
    ':scheme': secure ? 'https' : 'http',
    ':authority': authority,
    ...(length === undefined ? {} : { 'content-length': String(length) }),
    ...(request.acceptsTrailers ? { te: 'trailers' } : {}),
    ...(request.expectsContinue && hasBody ? { expect: '100-continue' } : {})
  }
}

/** Where a request is sent. */
export interface H2Target {
  readonly session: ClientHttp2Session
  /** The last stream that the service processes, once it has said GOAWAY. */
  readonly lastStream: number | undefined
}

/** Sends a request by HTTP/2. Throws where the session takes no more requests. `onClose` is called when its stream is closed. */
export const sendH2 = (
  request: UpstreamRequest,
  target: H2Target,
  handler: UpstreamHandler,
  onClose: () => void = () => {}
): PendingRequest => {
  const { session } = target
  const { hasBody, upgrade } = request
  const open = hasBody || upgrade !== undefined
  const stream: ClientHttp2Stream = session.request(headOf(request), { endStream: !open, waitForTrailers: hasBody })
  let done = false
  let sentTrailers: Record<string, string | string[]> = {}
  let trailers: string[] = []
  const fail = (error: Error): void => {
    if (done) return
    done = true
    const code = stream.rstCode
    const { lastStream } = target
    const beyond = lastStream !== undefined && (stream.id ?? Number.POSITIVE_INFINITY) > lastStream
    // RFC 9113 §8.7: a service says so of what it has not processed, also of streams behind the last one of its GOAWAY.
    if (code === NGHTTP2_REFUSED_STREAM || beyond)
      handler.onFailure({ error, processed: 'no', ...(code === undefined ? {} : { code }) })
    else if (session.destroyed || session.closed) handler.onFailure({ error, processed: 'unknown' })
    else handler.onFailure(code === undefined || code === NGHTTP2_NO_ERROR ? { error } : { error, code })
  }
  const broken = (): Error =>
    new RystraError('stream.reset', { side: 'client', detail: `HTTP/2 error ${stream.rstCode ?? 0}` })
  stream.on('error', fail)
  stream.on('aborted', () => fail(broken()))
  stream.on('close', () => {
    onClose()
    fail(broken())
  })
  stream.on('continue', () => handler.onContinue())
  stream.on('wantTrailers', () => {
    if (!stream.destroyed && !stream.closed) stream.sendTrailers(sentTrailers)
  })
  stream.on('headers', (head) => {
    const status = head[':status'] ?? 0
    if (status !== 100) handler.onInformation(status, paired(rawHeadersOf(head)))
  })
  stream.on('trailers', (fields) => {
    trailers = rawHeadersOf(fields)
  })
  stream.on('response', (head, flags) => {
    const status = head[':status'] ?? 0
    const ended = (flags & NGHTTP2_FLAG_END_STREAM) !== 0
    const response: UpstreamResponse = {
      status,
      message: '',
      rawHeaders: rawHeadersOf(head),
      connection: undefined,
      trailer: head.trailer as string | undefined,
      length: head['content-length'],
      ended,
      mayHaveTrailers: true,
      body: stream,
      trailers: () => trailers
    }
    if (upgrade !== undefined && status >= 200 && status < 300 && !ended) {
      done = true
      handler.onUpgrade(response, stream, Buffer.alloc(0))
      return
    }
    // A stream that was reset emits `end` as well.
    stream.on('end', () => {
      if (stream.rstCode === undefined || stream.rstCode === NGHTTP2_NO_ERROR) done = true
    })
    handler.onResponse(response)
    if (upgrade !== undefined) stream.end()
  })
  return {
    body: stream,
    end(fields) {
      if (!hasBody) return
      sentTrailers = byName(fields)
      stream.end()
    },
    abort(code = NGHTTP2_CANCEL) {
      done = true
      resetH2(stream, code)
    }
  }
}
