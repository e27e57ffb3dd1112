import { hostPort, networks, plainAddress } from '@rystra/address'
import { RystraError } from '@rystra/model'
import { isIP } from 'node:net'

/** A proxy to dial through. */
export interface ProxyAddress {
  readonly scheme: 'http' | 'https' | 'socks5' | 'socks5h'
  /** Without brackets. */
  readonly host: string
  readonly port: number
  readonly credentials?: Credentials
  /** For errors and logs: without credentials. */
  readonly name: string
}

export interface Credentials {
  readonly user: string
  readonly password: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Accepted schemes. `socks` is what desktop environments write into ALL_PROXY. */
const schemes: Readonly<Record<string, ProxyAddress['scheme']>> = {
  http: 'http',
  https: 'https',
  socks: 'socks5h',
  socks5: 'socks5',
  socks5h: 'socks5h'
}

const defaultPorts = { http: 80, https: 443, socks5: 1080, socks5h: 1080 } as const

/** Largest user name or password, RFC 1929. */
const MAX_CREDENTIAL_BYTES = 255

/** The last `@` ends the credentials: passwords may contain an unescaped `@` or `/`. */
const proxyPattern = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:(.*)@)?(\[[0-9a-f:.]+\]|[^\s:/@?#[\]]+)(?::(\d{1,5}))?\/?$/i

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const credentialsOf = (userinfo: string, invalid: (what: string) => Error): Credentials => {
  const colon = userinfo.indexOf(':')
  const user = decoded(colon < 0 ? userinfo : userinfo.slice(0, colon))
  const password = colon < 0 ? '' : decoded(userinfo.slice(colon + 1))
  for (const text of [user, password]) {
    if (Buffer.byteLength(text) > MAX_CREDENTIAL_BYTES)
      throw invalid(`user or password is longer than ${MAX_CREDENTIAL_BYTES} bytes`)
  }
  return { user, password }
}

/**
 * Parses the address of a proxy. `source` names the field or variable in errors, which never contain its value: it may
 * be secret.
 */
const parseProxy = (text: string, source: string, defaultScheme?: 'http'): ProxyAddress => {
  const invalid = (what: string): RystraError =>
    new RystraError('config.invalid', {
      side: 'client',
      detail: `${source}: ${what}`,
      hint: 'use a form like http://user:password@host:3128 or socks5h://host:1080'
    })
  const [, written = defaultScheme, userinfo, host = '', digits] = proxyPattern.exec(text) ?? []
  if (written === undefined || host === '') throw invalid('invalid proxy address')
  const scheme = Object.hasOwn(schemes, written.toLowerCase()) ? schemes[written.toLowerCase()] : undefined
  if (scheme === undefined) throw invalid(`unsupported proxy scheme ${written} (http, https, socks5, socks5h)`)
  const port = digits === undefined ? defaultPorts[scheme] : Number(digits)
  if (port < 1 || port > 65535) throw invalid(`invalid port ${digits}: expected 1 to 65535`)
  const name = host.replace(/^\[(.*)\]$/, '$1')
  return {
    scheme,
    host: name,
    port,
    name: `${scheme}://${hostPort(name, port)}`,
    ...(userinfo === undefined || userinfo === '' ? {} : { credentials: credentialsOf(userinfo, invalid) })
  }
}

const normaliseHost = (host: string): string =>
  host
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/\.$/, '')
    .toLowerCase()

/** Splits an entry with a port, `name:8080` or `[::1]:8080`; a plain IPv6 address has none. */
const splitEntry = (entry: string): { readonly host: string; readonly port: number | undefined } => {
  const [, name, port] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? []
  return name === undefined
    ? { host: normaliseHost(entry), port: undefined }
    : { host: normaliseHost(name), port: Number(port) }
}

const inNetwork = (address: string, entry: string): boolean => {
  try {
    return networks([entry], 'NO_PROXY')(address)
  } catch {
    return false
  }
}

const covers = (entry: string, host: string, port: number): boolean => {
  if (entry === '*') return true
  if (isIP(host) !== 0 && entry.includes('/')) return inNetwork(host, entry.replace(/^\[(.*)\]/, '$1'))
  const { host: covered, port: only } = splitEntry(entry)
  if (only !== undefined && only !== port) return false
  if (isIP(host) !== 0) return plainAddress(host) === plainAddress(covered)
  const name = covered.replace(/^\*?\.+/, '')
  return name !== '' && (host === name || host.endsWith(`.${name}`))
}

/**
 * Whether NO_PROXY excludes `host:port` from proxying. The list is read as curl reads it: entries separated by commas
 * or spaces; `*` covers everything, a name covers itself and its subdomains (with a leading dot or without), an address
 * may have a prefix length, and each entry may have a port. Names are not resolved.
 */
export const noProxyCovers = (list: string, host: string, port: number): boolean =>
  list
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry !== '' && covers(entry, normaliseHost(host), port))

const variable = (env: Environment, ...names: string[]): readonly [string, string] | undefined => {
  for (const name of names) {
    const value = env[name]?.trim()
    if (value !== undefined && value !== '') return [name, value]
  }
  return undefined
}

/**
 * The proxy for `host:port`, if any. A `configured` proxy takes precedence over the environment; a lower-case variable
 * takes precedence over the upper-case one, as in curl. Throws `config.invalid`.
 */
export const chooseProxy = (
  configured: string | undefined,
  host: string,
  port: number,
  env: Environment
): ProxyAddress | undefined => {
  if (configured === 'none') return undefined
  if (configured !== undefined) return parseProxy(configured, 'proxy')
  const found = variable(env, 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY')
  if (found === undefined) return undefined
  const [, exceptions = ''] = variable(env, 'no_proxy', 'NO_PROXY') ?? []
  if (noProxyCovers(exceptions, host, port)) return undefined
  const [name, value] = found
  return parseProxy(value, `environment variable ${name}`, 'http')
}
