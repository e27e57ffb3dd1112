import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { isToken } from './fields.js'
import { Problem } from './problem.js'

/** A request of a visitor, of either version of HTTP. */
export type VisitorRequest = IncomingMessage | Http2ServerRequest

/** What of a head the proxy goes by, once nothing speaks against it. */
export interface Head {
  readonly method: string
  /** Path and query, or `*`. */
  readonly target: string
  /** Without the query. */
  readonly path: string
  /** As the visitor wrote it. */
  readonly authority: string
  /** Lower case, without port and a dot at the end. */
  readonly host: string
  /** Bytes of the body, if that was said. */
  readonly length: number | undefined
  readonly hasBody: boolean
  /** A `TE` field that asks for trailers. */
  readonly wantsTrailers: boolean
}

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]{1,255}?)\.?(:\d{0,5})?$/

/** Whether this can be a Host, or an authority. */
export const isHost = (text: string): boolean => HOST.test(text.toLowerCase())

/** Reads what routing and framing go by. Throws a {@link Problem} for whatever another reader could take for something else. */
export const readHead = (request: VisitorRequest, maxHeaders: number): Head =>
  'stream' in request
    ? readHead2(request as Http2ServerRequest, maxHeaders)
    : readHead1(request as IncomingMessage, maxHeaders)

const readHead1 = (request: IncomingMessage, maxHeaders: number): Head => {
  const { httpVersion, method = '', headers } = request
  if (httpVersion !== '1.1' && httpVersion !== '1.0') throw new Problem(505, `HTTP/${httpVersion} is not spoken here`)
  const seen = count(request.rawHeaders, maxHeaders)
  if (seen.hosts > 1) throw new Problem(400, 'more than one Host')
  if (seen.lengths > 1) throw new Problem(400, 'more than one Content-Length')
  if (seen.codings > 1) throw new Problem(400, 'more than one Transfer-Encoding')
  const coding = headers['transfer-encoding']
  if (coding !== undefined) {
    if (seen.lengths > 0) throw new Problem(400, 'both Content-Length and Transfer-Encoding')
    if (httpVersion === '1.0') throw new Problem(400, 'Transfer-Encoding in HTTP/1.0')
    if (coding.toLowerCase() !== 'chunked') throw new Problem(501, 'a Transfer-Encoding other than chunked')
  }
  if (headers.host === undefined || headers.host === '') throw new Problem(400, 'no Host')
  const length = lengthOf(headers['content-length'])
  const { target, authority } = originForm(request.url ?? '', headers.host)
  const hasBody = coding !== undefined || (length ?? 0) > 0
  return finish(method, target, authority, length, hasBody, headers.te as string | undefined)
}

const readHead2 = (request: Http2ServerRequest, maxHeaders: number): Head => {
  const { headers, method } = request
  const seen = count(request.rawHeaders, maxHeaders)
  if (seen.hosts > 1 || seen.lengths > 1) throw new Problem(400, 'a field that may be there once is there again')
  if (seen.codings > 0) throw new Problem(400, 'Transfer-Encoding in HTTP/2')
  const named = headers[':authority']
  if (named !== undefined && headers.host !== undefined && named.toLowerCase() !== headers.host.toLowerCase()) {
    throw new Problem(400, 'Host and :authority differ')
  }
  const authority = named ?? headers.host
  if (authority === undefined || authority === '') throw new Problem(400, 'no :authority')
  const target = request.url
  if (!isOrigin(target)) throw new Problem(400, 'the path is none')
  const length = lengthOf(headers['content-length'])
  const hasBody = !request.stream.endAfterHeaders
  if (!hasBody && (length ?? 0) > 0) throw new Problem(400, 'Content-Length without a body')
  return finish(method, target, authority, length, hasBody, headers.te as string | undefined)
}

interface Seen {
  hosts: number
  lengths: number
  codings: number
}

const count = (raw: readonly string[], maxHeaders: number): Seen => {
  if (raw.length / 2 > maxHeaders) throw new Problem(431, `more than ${maxHeaders} fields in the head`)
  const seen = { hosts: 0, lengths: 0, codings: 0 }
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string
    // Lengths first: most names are none of the three.
    if (name.length === 4 && name.toLowerCase() === 'host') seen.hosts += 1
    else if (name.length === 14) {
      // With an underscore it would be the same thing to a service behind CGI.
      if (/^content[-_]length$/i.test(name)) seen.lengths += 1
    } else if (name.length === 17 && /^transfer[-_]encoding$/i.test(name)) seen.codings += 1
  }
  return seen
}

const lengthOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text)) throw new Problem(400, 'a Content-Length that is no number')
  return Number(text)
}

/** Of `http://host/path` the path; RFC 9112 §3.2.2 lets the host in it win, so it has to be the same. */
const originForm = (target: string, host: string): { target: string; authority: string } => {
  if (isOrigin(target)) return { target, authority: host }
  const [, authority, rest = ''] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target) ?? []
  if (authority === undefined) throw new Problem(400, 'the target is no path')
  if (authority.toLowerCase() !== host.toLowerCase()) throw new Problem(400, 'Host and the target differ')
  const origin = rest.startsWith('/') ? rest : `/${rest}`
  if (!isOrigin(origin)) throw new Problem(400, 'the target is no path')
  return { target: origin, authority }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be in a path
const isOrigin = (target: string): boolean => target === '*' || /^\/[^\x00-\x20\x7f#\x80-\uffff]*$/.test(target)

const finish = (
  method: string,
  target: string,
  authority: string,
  length: number | undefined,
  hasBody: boolean,
  te: string | undefined
): Head => {
  if (method === 'CONNECT') throw new Problem(405, 'CONNECT is not for here')
  if (!isToken(method) || (target === '*' && method !== 'OPTIONS')) throw new Problem(400, 'the request line is none')
  const found = HOST.exec(authority.toLowerCase())
  if (found === null) throw new Problem(400, 'a Host that is none')
  const query = target.indexOf('?')
  return {
    method,
    target,
    path: target === '*' ? '/' : query === -1 ? target : target.slice(0, query),
    authority,
    host: found[1] as string,
    length,
    hasBody,
    wantsTrailers: te !== undefined && /\btrailers\b/i.test(te)
  }
}
