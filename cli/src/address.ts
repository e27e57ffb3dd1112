import { RystraError } from '@rystra/model'
import net from 'node:net'

/** Where a server is, and how it is reached. */
export interface ServerAddress {
  readonly transport: string
  readonly host: string
  readonly port: number
}

/** The transport and the port of a server that names none. */
export const defaultTransport = 'tcp'
export const defaultPort = 7000

const hostPattern = /^(?=.{1,255}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?$/

const portOf = (text: string): number | undefined => {
  if (!/^\d{1,5}$/.test(text)) return undefined
  const port = Number(text)
  return port >= 1 && port <= 65535 ? port : undefined
}

/** `host`, `host:port`, `[v6]`, `[v6]:port`, or a bare IPv6 address. */
const splitHost = (text: string): { host: string; port: string | undefined } | undefined => {
  if (net.isIPv6(text)) return { host: text, port: undefined }
  const bracketed = /^\[([^\]]+)\](?::(.*))?$/s.exec(text)
  if (bracketed !== null) {
    const host = bracketed[1] ?? ''
    return net.isIPv6(host) ? { host, port: bracketed[2] } : undefined
  }
  const colon = text.lastIndexOf(':')
  const host = colon === -1 ? text : text.slice(0, colon)
  return hostPattern.test(host) ? { host, port: colon === -1 ? undefined : text.slice(colon + 1) } : undefined
}

const invalid = (flag: string, text: string, expected: string): RystraError =>
  new RystraError('usage.invalid', {
    detail: `${flag}: expected ${expected}, got ${JSON.stringify(text.slice(0, 80))}`
  })

/** Reads `[transport://]host[:port]`. Throws `usage.invalid`. */
export const parseServerAddress = (text: string, flag = '--to'): ServerAddress => {
  const expected = '[transport://]host[:port], tcp://tunnel.example.org:7000 for example'
  const scheme = /^([a-z][a-z0-9+.-]{0,31}):\/\/(.*)$/s.exec(text)
  const split = splitHost(scheme === null ? text : (scheme[2] ?? ''))
  if (split === undefined) throw invalid(flag, text, expected)
  const port = split.port === undefined ? defaultPort : portOf(split.port)
  if (port === undefined) throw invalid(flag, text, `${expected}, with a port from 1 to 65535`)
  return { transport: scheme?.[1] ?? defaultTransport, host: split.host, port }
}

/** Reads `[host:]port`, `[host:]first-last` or `unix:/path` into what `local` of a proxy takes. Throws `usage.invalid`. */
export const parseService = (text: string): string => {
  const expected = '[host:]port or unix:/path, 3000 or 192.168.1.5:22 for example'
  if (text.startsWith('unix:')) {
    if (text.length > 5 && !text.includes('\0')) return text
    throw invalid('the service', text, expected)
  }
  const range = /^(.*?)(\d{1,5})-(\d{1,5})$/s.exec(text)
  const single = range === null ? text : `${range[1] ?? ''}${range[2] ?? ''}`
  const split = /^\d+$/.test(single) ? { host: '127.0.0.1', port: single } : splitHost(single)
  const first = portOf(split?.port ?? '')
  const last = range === null ? first : portOf(range[3] ?? '')
  if (split === undefined || first === undefined || last === undefined || last < first) {
    throw invalid('the service', text, expected)
  }
  return `${formatHost(split.host)}:${first}${range === null ? '' : `-${last}`}`
}

/** Brackets around IPv6 addresses. */
const formatHost = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** `host:port`, with brackets around IPv6 addresses. */
export const formatAddress = ({ host, port }: { host: string; port: number }): string => `${formatHost(host)}:${port}`

/** `transport://host:port`, as {@link parseServerAddress} reads it. */
export const formatServer = (server: ServerAddress): string => `${server.transport}://${formatAddress(server)}`

/** Whether a host stands for all addresses of the machine. */
export const isWildcard = (host: string): boolean => ['0.0.0.0', '::', '*', ''].includes(host)
