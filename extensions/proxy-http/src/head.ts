import { headSize } from './head-limits.js'
import { isToken } from './fields.js'
import type { HttpOptions } from './options.js'
import { Problem } from './problem.js'
import type { VisitorRequest } from './visitor-request.js'

/** The parts of a head that routing and framing depend on, checked. */
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
  /** Bytes of the body, if the visitor gave them. */
  readonly length: number | undefined
  readonly hasBody: boolean
  /** A `TE` field with `trailers`. */
  readonly acceptsTrailers: boolean
}

type Limits = Pick<HttpOptions, 'maxHeaders' | 'maxHeadSize'>

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+,;=%-]{1,255}?)\.?(:\d{0,5})?$/

/** Whether this can be a Host, or an authority. */
export const isHost = (text: string): boolean => HOST.test(text.toLowerCase())

/** Reads a head. Throws a {@link Problem} for anything that another reader could understand differently. */
export const readHead = (request: VisitorRequest, limits: Limits): Head =>
  request.version === 'h2' ? readHead2(request, limits) : readHead1(request, limits)

const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)

const readHead1 = (request: VisitorRequest, { maxHeaders }: Limits): Head => {
  const { version, method, headers } = request
  if (version !== '1.1' && version !== '1.0') throw new Problem(505, `HTTP/${version} is not supported`)
  const seen = count(request.rawHeaders, maxHeaders)
  if (seen.hosts > 1) throw new Problem(400, 'more than one Host header')
  if (seen.lengths > 1) throw new Problem(400, 'more than one Content-Length header')
  if (seen.codings > 1) throw new Problem(400, 'more than one Transfer-Encoding header')
  const coding = one(headers['transfer-encoding'])
  if (coding !== undefined) {
    if (seen.lengths > 0) throw new Problem(400, 'both Content-Length and Transfer-Encoding')
    if (version === '1.0') throw new Problem(400, 'Transfer-Encoding in HTTP/1.0')
    if (coding.toLowerCase() !== 'chunked') throw new Problem(501, 'a Transfer-Encoding other than chunked')
  }
  const host = one(headers['host'])
  if (host === undefined || host === '') throw new Problem(400, 'no Host header')
  const length = lengthOf(one(headers['content-length']))
  const { target, authority } = originForm(request.target, host)
  const hasBody = coding !== undefined || (length ?? 0) > 0
  return finish({ method, target, authority, length, hasBody, te: one(headers['te']) })
}

const readHead2 = (request: VisitorRequest, { maxHeaders, maxHeadSize }: Limits): Head => {
  const { headers, rawHeaders, target } = request
  const pseudo = rawHeaders.findIndex((name, index) => index % 2 === 0 && !name.startsWith(':'))
  const seen = count(pseudo === -1 ? [] : rawHeaders.slice(pseudo), maxHeaders)
  if (headSize(rawHeaders) > maxHeadSize) throw new Problem(431, `header fields of more than ${maxHeadSize} bytes`)
  if (seen.hosts > 1 || seen.lengths > 1) throw new Problem(400, 'more than one Host or Content-Length header')
  if (seen.codings > 0) throw new Problem(400, 'Transfer-Encoding in HTTP/2')
  const named = one(headers[':authority'])
  const host = one(headers['host'])
  if (named !== undefined && host !== undefined && named.toLowerCase() !== host.toLowerCase()) {
    throw new Problem(400, 'Host and :authority differ')
  }
  const authority = named ?? host
  if (authority === undefined || authority === '') throw new Problem(400, 'no :authority')
  const protocol = one(headers[':protocol'])
  // RFC 9220 §3 names the status.
  if (protocol !== undefined && protocol !== 'websocket') throw new Problem(501, 'a :protocol other than websocket')
  const method = request.method === 'CONNECT' && protocol !== undefined ? 'GET' : request.method
  if (method !== 'CONNECT' && !isOrigin(target)) throw new Problem(400, 'invalid :path')
  const length = lengthOf(one(headers['content-length']))
  const hasBody = protocol === undefined && request.endedWithHead === false
  if (!hasBody && (length ?? 0) > 0) throw new Problem(400, 'Content-Length without a body')
  return finish({ method, target, authority, length, hasBody, te: one(headers['te']) })
}

interface Seen {
  hosts: number
  lengths: number
  codings: number
}

const count = (raw: readonly string[], maxHeaders: number): Seen => {
  if (raw.length / 2 > maxHeaders) throw new Problem(431, `more than ${maxHeaders} header fields`)
  const seen = { hosts: 0, lengths: 0, codings: 0 }
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string
    // Lengths first: most names are not one of the three.
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
  if (!/^\d{1,15}$/.test(text)) throw new Problem(400, 'invalid Content-Length header')
  return Number(text)
}

/** Of `http://host/path` the path; RFC 9112 §3.2.2 lets the host in it win, so it has to be the same. */
const originForm = (target: string, host: string): { target: string; authority: string } => {
  if (isOrigin(target)) return { target, authority: host }
  const [, authority, rest = ''] = /^https?:\/\/([^/?#]+)(.*)$/i.exec(target) ?? []
  if (authority === undefined) throw new Problem(400, 'invalid request target')
  if (authority.toLowerCase() !== host.toLowerCase()) throw new Problem(400, 'Host header and request target differ')
  const origin = rest.startsWith('/') ? rest : `/${rest}`
  if (!isOrigin(origin)) throw new Problem(400, 'invalid request target')
  return { target: origin, authority }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what must not be in a path
const isOrigin = (target: string): boolean => target === '*' || /^\/[^\x00-\x20\x7f#\x80-\uffff]*$/.test(target)

interface Parts extends Omit<Head, 'path' | 'host' | 'acceptsTrailers'> {
  readonly te: string | undefined
}

/** Field by field: rest and spread would be a twentieth of the time of a request. */
const finish = ({ te, method, target, authority, length, hasBody }: Parts): Head => {
  if (method === 'CONNECT') throw new Problem(405, 'CONNECT is not supported')
  if (!isToken(method) || (target === '*' && method !== 'OPTIONS')) throw new Problem(400, 'invalid request line')
  const found = HOST.exec(authority.toLowerCase())
  if (found === null) throw new Problem(400, 'invalid Host header')
  const query = target.indexOf('?')
  return {
    method,
    target,
    path: target === '*' ? '/' : query === -1 ? target : target.slice(0, query),
    authority,
    host: found[1] as string,
    length,
    hasBody,
    acceptsTrailers: te !== undefined && /\btrailers\b/i.test(te)
  }
}
