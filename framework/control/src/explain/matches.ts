import { asciiHost, isHost, plainAddress } from '@rystra/address'
import type { ProxyHandle, ProxySpec, Registry, ProxyKind, VisitTarget } from '@rystra/plugin'

/** Whether a host or a wildcard is for this name. */
export const hostFits = (pattern: string, host: string): boolean =>
  pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)))

/** Whether a path is at or below another. */
const pathFits = (prefix: string, path: string): boolean =>
  prefix === '/' || path === prefix || path.startsWith(`${prefix}/`)

/** The port at the end of what visitors connect to; `undefined` for a URL without one. */
export const portIn = (address: string | undefined): number | undefined => {
  const [, port] = /:(\d{1,5})$/.exec(address ?? '') ?? []
  return port === undefined ? undefined : Number(port)
}

/** Whether an address that visitors connect to, as it is shown, is where a target leads. */
export const addressFits = (address: string, target: VisitTarget): boolean => {
  if (!/^https?:\/\//.test(address)) return portIn(address) === target.port
  const [, scheme = '', authority = '', path = ''] = /^(https?):\/\/([^/]+)(\/.*)?$/.exec(address) ?? []
  const [, written = '', port] = /^(.*?)(?::(\d+))?$/.exec(authority) ?? []
  const host = isHost(written) ? plainAddress(asciiHost(written) ?? written) : written
  const shown = port === undefined ? (scheme === 'https' ? 443 : 80) : Number(port)
  if (target.scheme !== undefined && target.scheme !== scheme) return false
  if (target.port !== undefined && target.port !== shown) return false
  return hostFits(host, target.host) && pathFits(path === '' ? '/' : path, target.path)
}

/** Whether a proxy of this description, published at `address` or not, is what a target asks for. */
export const specFits = (
  spec: ProxySpec,
  address: string | undefined,
  target: VisitTarget,
  kinds: Registry<ProxyKind>
): boolean => {
  const routing = kinds.has(spec.kind) ? kinds.get(spec.kind).routing : undefined
  if (routing === undefined) return address !== undefined && addressFits(address, target)
  const { hosts, path } = routing.claimed(spec)
  return hosts.some((host) => hostFits(host, target.host)) && pathFits(path, target.path)
}

/** By the order in which groups of proxies are told: that of their ids. */
export const byId = (a: ProxyHandle, b: ProxyHandle): number => (a.id < b.id ? -1 : 1)
