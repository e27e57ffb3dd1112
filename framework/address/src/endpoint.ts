import { type ErrorCode, RystraError, type Side } from '@rystra/model'
import { isIPv6 } from 'node:net'
import { hostPort, isHost } from './host.js'

/** A host and a port. */
export interface Endpoint {
  /** `tcp` of `tcp://…`. */
  readonly scheme?: string
  /** A name, or an address without brackets. */
  readonly host: string
  readonly port: number
  /** The last port of a range; not there without a range. */
  readonly last?: number
}

/** A socket of the file system. */
export interface UnixEndpoint {
  readonly path: string
}

/** The forms that one option or argument takes beside `host:port` and `[v6]:port`. */
export interface EndpointForms {
  /** `scheme://` in front. */
  readonly scheme?: boolean
  /** `unix:/path`. */
  readonly unix?: boolean
  /** `handler:name`, a service within the process. Accepted by {@link endpointField} only. */
  readonly handler?: boolean
  /** `first-last` in place of the port. */
  readonly range?: boolean
  /** Port 0: any free one. */
  readonly anyPort?: boolean
  /** The host of a port alone: `3000`. Without it, a port alone is refused. */
  readonly defaultHost?: string
  /** The port of a host alone: `example.org`. Without it, a host alone is refused. */
  readonly defaultPort?: number
}

/** How errors name what was parsed. */
export interface EndpointSource {
  /** The option or flag: `local`, `--to`. */
  readonly name: string
  readonly code: ErrorCode
  readonly side?: Side
}

/** Says what was expected in the place of a text. */
class Unexpected extends RangeError {}

const expectedOf = (forms: EndpointForms): string => {
  const port = forms.range === true ? 'port (or first-last)' : 'port'
  const host = `${forms.scheme === true ? '[scheme://]' : ''}host${forms.defaultPort === undefined ? `:${port}` : `[:${port}]`}`
  const list = [host, `[v6 address]:${port}`]
  if (forms.defaultHost !== undefined) list.push(`a ${port} of ${forms.defaultHost}`)
  if (forms.unix === true) list.push('unix:/path')
  return `${list.slice(0, -1).join(', ')} or ${list.at(-1)}`
}

const portsOf = (text: string, forms: EndpointForms): Pick<Endpoint, 'port' | 'last'> => {
  const least = forms.anyPort === true ? 0 : 1
  const [, first, last] = (forms.range === true ? /^(\d{1,5})(?:-(\d{1,5}))?$/ : /^(\d{1,5})$/).exec(text) ?? []
  const inRange = (port: number): boolean => port >= least && port <= 65535
  if (first === undefined || !inRange(Number(first)) || (last !== undefined && !inRange(Number(last))))
    throw new Unexpected(`a port from ${least} to 65535`)
  if (last === undefined) return { port: Number(first) }
  if (Number(last) < Number(first)) throw new Unexpected(`a range that goes up: ${last}-${first}`)
  return { port: Number(first), last: Number(last) }
}

/** `::1:7150`: an IPv6 address with a port behind it, as it is often written. */
const unbracketed = (text: string): { host: string; port: string } | undefined => {
  const [, host = '', port = ''] = /^(.+):(\d{1,5}(?:-\d{1,5})?)$/.exec(text) ?? []
  return isIPv6(host) ? { host, port } : undefined
}

/** @param before the scheme, for corrected forms */
const split = (text: string, forms: EndpointForms, before: string): { host: string; port: string | undefined } => {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/s.exec(text)
  if (bracketed !== null) {
    if (!isIPv6(bracketed[1] ?? '')) throw new Unexpected('an IPv6 address in the brackets')
    return { host: bracketed[1] as string, port: bracketed[2] }
  }
  if (text.indexOf(':') !== text.lastIndexOf(':')) {
    const meant = unbracketed(text)
    const alone = isIPv6(text) && forms.defaultPort !== undefined
    if (meant !== undefined) {
      const other = alone ? `, or ${before}[${text}] for the address alone` : ''
      throw new Unexpected(
        `${before}${hostPort(meant.host, meant.port)}, with brackets around the IPv6 address${other}`
      )
    }
    if (alone) return { host: text, port: undefined }
    if (isIPv6(text)) throw new Unexpected(`a port: [${text}]:port`)
    throw new Unexpected(expectedOf(forms))
  }
  if (forms.defaultHost !== undefined && /^\d+(-\d+)?$/.test(text)) return { host: forms.defaultHost, port: text }
  const [host = '', port] = text.split(':')
  return { host, port }
}

const read = (text: string, forms: EndpointForms): Endpoint | UnixEndpoint => {
  if (forms.unix === true && text.startsWith('unix:')) {
    if (text.length > 5 && !text.includes('\0')) return { path: text.slice(5) }
    throw new Unexpected('unix:/path')
  }
  if (forms.unix === true && text.startsWith('/')) throw new Unexpected(`unix:${text}`)
  const [, written, rest = ''] = /^([a-z][a-z0-9+.-]{0,31}):\/\/(.*)$/is.exec(text) ?? []
  const scheme = written?.toLowerCase()
  if (scheme !== undefined && forms.scheme !== true) throw new Unexpected(expectedOf(forms))
  const { host, port } = split(scheme === undefined ? text : rest, forms, scheme === undefined ? '' : `${scheme}://`)
  if (!isHost(host)) throw new Unexpected(expectedOf(forms))
  if (port === undefined && forms.defaultPort === undefined) throw new Unexpected(`a port: ${hostPort(host, 'port')}`)
  const ports = port === undefined ? { port: forms.defaultPort as number } : portsOf(port, forms)
  return { ...(scheme === undefined ? {} : { scheme }), host, ...ports }
}

/** Ports of schemes that people paste from a browser. */
const usualPorts: Readonly<Record<string, number>> = { http: 80, https: 443 }

/** The endpoint in a text with more around it: white space, a scheme, a path, credentials, a colon. And what is too much. */
const withoutMore = (text: string, forms: EndpointForms): { meant: string; more: string[] } => {
  const trimmed = text.trim()
  const [, written, user, at = '', path = ''] =
    /^(?:([a-z][a-z0-9+.-]{0,31}):\/\/)?([^/?#]*@)?([^/?#]*)(.*)$/is.exec(trimmed) ?? []
  const scheme = written?.toLowerCase() ?? ''
  const keepsScheme = forms.scheme === true && scheme !== ''
  const usual = keepsScheme || /:\d*$/.test(at) || at === '' ? undefined : usualPorts[scheme]
  const authority = forms.defaultHost !== undefined && /^:\d+$/.test(at) ? at.slice(1) : at
  const more = [
    ...(trimmed === text ? [] : ['white space']),
    ...(scheme === '' || keepsScheme ? [] : [`${written}://`]),
    ...(user === undefined ? [] : ['a user']),
    ...(path.length > 1 ? [path.length > 40 ? 'a path' : path] : [])
  ]
  return { meant: `${keepsScheme ? `${scheme}://` : ''}${authority}${usual === undefined ? '' : `:${usual}`}`, more }
}

const isGood = (text: string, forms: EndpointForms): boolean => {
  try {
    read(text, forms)
    return true
  } catch {
    return false
  }
}

/** {@link read}, whose errors have the corrected form. */
const readOrCorrect = (text: string, forms: EndpointForms): Endpoint | UnixEndpoint => {
  try {
    return read(text, forms)
  } catch (error) {
    const { meant, more } = withoutMore(text, forms)
    if (meant === text || !isGood(meant, forms)) throw error
    throw new Unexpected(more.length === 0 ? meant : `${meant}, without ${more.join(' and ')}`)
  }
}

/** What was expected in the place of a text, with the corrected form where it can be told; `undefined` for a good one. */
export const endpointProblem = (text: string, forms: EndpointForms): string | undefined => {
  if (forms.handler === true && /^handler:.+$/s.test(text)) return undefined
  try {
    readOrCorrect(text, forms)
    return undefined
  } catch (error) {
    return (error as Unexpected).message
  }
}

const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text)

/**
 * The one parser of endpoints: of services (`local`), of ways in (`bind`), of servers (`--to`), of upstream servers. It
 * takes `host:port` and `[v6]:port`, and what `forms` allows besides. Throws `source.code` with the corrected form where
 * there is one: `::1:7150` could be an address or an address with a port, and is answered with `[::1]:7150`.
 *
 * @example
 * parseEndpoint('tls://[::1]', { scheme: true, defaultPort: 7000 }, { name: '--to', code: 'usage.invalid' })
 * // { scheme: 'tls', host: '::1', port: 7000 }
 * parseEndpoint('3000', { defaultHost: '127.0.0.1', unix: true }, { name: 'local', code: 'proxy.invalid' })
 * // { host: '127.0.0.1', port: 3000 }; `unix:/run/app.sock` gives { path: '/run/app.sock' }
 */
export function parseEndpoint(
  text: string | number,
  forms: EndpointForms & { readonly unix: true },
  source: EndpointSource
): Endpoint | UnixEndpoint
export function parseEndpoint(text: string | number, forms: EndpointForms, source: EndpointSource): Endpoint
export function parseEndpoint(
  text: string | number,
  forms: EndpointForms,
  { name, code, side }: EndpointSource
): Endpoint | UnixEndpoint {
  try {
    return readOrCorrect(String(text), forms)
  } catch (error) {
    const detail = `${name}: expected ${(error as Unexpected).message}, got ${shown(String(text))}`
    throw new RystraError(code, { detail, ...(side === undefined ? {} : { side }) })
  }
}

/** An endpoint as {@link parseEndpoint} reads it. */
export const formatEndpoint = (endpoint: Endpoint | UnixEndpoint): string => {
  if ('path' in endpoint) return `unix:${endpoint.path}`
  const { scheme, host, port, last } = endpoint
  return `${scheme === undefined ? '' : `${scheme}://`}${hostPort(host, last === undefined ? port : `${port}-${last}`)}`
}
