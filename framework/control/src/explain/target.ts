import { asciiHost, parseEndpoint, plainAddress } from '@rystra/address'
import { RystraError } from '@rystra/model'
import type { VisitTarget } from '@rystra/plugin'
import { isIP } from 'node:net'

/** Characters of a target: a URL longer than this is no use as a target. */
const MAX_TARGET = 2048

const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443, ws: 80, wss: 443 }
/** WebSockets come to the listeners of HTTP. */
const schemes: Readonly<Record<string, string>> = { ws: 'http', wss: 'https' }

const invalid = (target: string): RystraError =>
  new RystraError('usage.invalid', {
    detail: `target: expected a URL such as https://app.example.org/path, or host:port, got ${JSON.stringify(target.slice(0, 80))}`
  })

const ofUrl = (target: string): VisitTarget => {
  const url = URL.canParse(target) ? new URL(target) : undefined
  const written = url?.protocol.slice(0, -1) ?? ''
  if (url === undefined || !/^(https?|wss?)$/.test(written) || url.username !== '') throw invalid(target)
  const address = url.hostname.replace(/^\[|\]$/g, '')
  const host = isIP(address) === 0 ? asciiHost(address) : plainAddress(address)
  if (host === undefined) throw invalid(target)
  const port = url.port === '' ? (defaultPorts[written] as number) : Number(url.port)
  return { scheme: schemes[written] ?? written, host, port, path: url.pathname }
}

/** What a target means. Throws `usage.invalid`. */
export const parseTarget = (target: string): VisitTarget => {
  if (target.length > MAX_TARGET) throw invalid(target)
  if (/^(https?|wss?):\/\//i.test(target)) return ofUrl(target)
  const [, scheme, rest = target] = /^(tcp|udp):\/\/(.*)$/s.exec(target) ?? []
  const endpoint = rest.replace(/\/+$/, '')
  let found: { host: string; port: number }
  try {
    found = parseEndpoint(endpoint, { defaultPort: 0, anyPort: true, defaultHost: '127.0.0.1' }, source)
  } catch {
    throw invalid(target)
  }
  const host = isIP(found.host) === 0 ? (asciiHost(found.host) as string) : plainAddress(found.host)
  const port = found.port === 0 ? {} : { port: found.port }
  if (scheme !== undefined && found.port === 0) throw invalid(target)
  return { ...(scheme === undefined ? {} : { scheme }), host, ...port, path: '/' }
}

const source = { name: 'target', code: 'usage.invalid' } as const
