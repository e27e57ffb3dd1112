import { RystraError } from '@rystra/model'
import { hostPort } from '../errors.js'
import { withoutProxy } from './no-proxy.js'

/** A proxy to dial through. */
export interface ProxyAddress {
  readonly scheme: 'http' | 'https' | 'socks5' | 'socks5h'
  /** Without brackets. */
  readonly host: string
  readonly port: number
  readonly credentials?: Credentials
  /** For errors and logs: without the credentials. */
  readonly name: string
}

export interface Credentials {
  readonly user: string
  readonly password: string
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Schemes as they are written, and what they mean. `socks` is what desktops write into ALL_PROXY. */
const schemes: Readonly<Record<string, ProxyAddress['scheme']>> = {
  http: 'http',
  https: 'https',
  socks: 'socks5h',
  socks5: 'socks5',
  socks5h: 'socks5h'
}

const usualPort = { http: 80, https: 443, socks5: 1080, socks5h: 1080 } as const

/** Bytes of a user or a password, RFC 1929. */
const MAX_CREDENTIAL = 255

/** Passwords may have an `@` or a `/` that nobody escaped: the last `@` counts. */
const form = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:(.*)@)?(\[[0-9a-f:.]+\]|[^\s:/@?#[\]]+)(?::(\d{1,5}))?\/?$/i

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const credentialsOf = (userinfo: string, wrong: (what: string) => Error): Credentials => {
  const colon = userinfo.indexOf(':')
  const user = decoded(colon < 0 ? userinfo : userinfo.slice(0, colon))
  const password = colon < 0 ? '' : decoded(userinfo.slice(colon + 1))
  for (const text of [user, password]) {
    if (Buffer.byteLength(text) > MAX_CREDENTIAL) throw wrong(`user and password have up to ${MAX_CREDENTIAL} bytes`)
  }
  return { user, password }
}

/** Reads the address of a proxy. `where` it stands is for errors, which never have what is written there: it is secret. */
const parseProxy = (text: string, where: string, usualScheme?: 'http'): ProxyAddress => {
  const wrong = (what: string): RystraError =>
    new RystraError('config.invalid', {
      side: 'client',
      detail: `${where}: ${what}`,
      hint: 'write it like http://user:password@host:3128 or socks5h://host:1080'
    })
  const [, written = usualScheme, userinfo, host = '', digits] = form.exec(text) ?? []
  if (written === undefined || host === '') throw wrong('not the address of a proxy')
  const scheme = Object.hasOwn(schemes, written.toLowerCase()) ? schemes[written.toLowerCase()] : undefined
  if (scheme === undefined) throw wrong(`proxies of the kind ${written} are not supported`)
  const port = digits === undefined ? usualPort[scheme] : Number(digits)
  if (port < 1 || port > 65535) throw wrong(`${digits} is no port`)
  const name = host.replace(/^\[(.*)\]$/, '$1')
  return {
    scheme,
    host: name,
    port,
    name: `${scheme}://${hostPort(name, port)}`,
    ...(userinfo === undefined || userinfo === '' ? {} : { credentials: credentialsOf(userinfo, wrong) })
  }
}

const variable = (env: Environment, ...names: string[]): readonly [string, string] | undefined => {
  for (const name of names) {
    const value = env[name]?.trim()
    if (value !== undefined && value !== '') return [name, value]
  }
  return undefined
}

/**
 * The proxy for `host:port`, if any. What is `written` in the configuration counts, whatever the environment says; a
 * variable in small letters counts before the same in capitals, as curl has it. Throws `config.invalid`.
 */
export const chooseProxy = (
  written: string | undefined,
  host: string,
  port: number,
  env: Environment
): ProxyAddress | undefined => {
  if (written === 'none') return undefined
  if (written !== undefined) return parseProxy(written, 'proxy')
  const found = variable(env, 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY')
  if (found === undefined) return undefined
  const [, exceptions = ''] = variable(env, 'no_proxy', 'NO_PROXY') ?? []
  if (withoutProxy(exceptions, host, port)) return undefined
  const [name, value] = found
  return parseProxy(value, `${name} of the environment`, 'http')
}
