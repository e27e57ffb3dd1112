import { asciiHostPattern, pattern } from '@rystra/address'
import type { AdvisedConfig, ProxySpec } from '@rystra/plugin'
import type { AcmeOptions } from './options.js'

/** Addresses that an extension binds. */
const portsIn = (options: unknown, field: string): unknown[] => {
  const list = (options as Record<string, unknown> | undefined)?.[field]
  return Array.isArray(list) ? list.map((entry: { port?: unknown }) => entry.port) : []
}

const hostsOf = ({ host }: ProxySpec): string[] =>
  [host].flat().flatMap((one) => (typeof one === 'string' ? (asciiHostPattern(one) ?? []) : []))

/** What is unlikely to work, for `rystra check`. */
export const advise = ({ challenges, hosts }: AcmeOptions, { extensions, proxies }: AdvisedConfig): string[] => {
  const optionsOf = (wanted: string): unknown => extensions.find(({ name }) => name === wanted)?.options
  const [http, https] = [optionsOf('proxy-http'), optionsOf('proxy-https')]
  const open = {
    'http-01': [...portsIn(http, 'listen'), ...portsIn(https, 'redirectFrom')].includes(80),
    'tls-alpn-01':
      portsIn(https, 'listen').includes(443) || (https as { publicPort?: unknown } | undefined)?.publicPort === 443
  }
  const found: string[] = []
  if (!challenges.some((type) => open[type])) {
    const wanted = { 'http-01': 'port 80 of proxy-http', 'tls-alpn-01': 'port 443 of proxy-https' }
    const ports = challenges.map((type) => wanted[type]).join(' or ')
    found.push(`acme: the authority connects to ${ports}, which no \`listen\` has: forward it, or bind it`)
  }
  const allowed = hosts.map((one) => pattern(asciiHostPattern(one) ?? one))
  const own = ((https as { certificates?: { hosts?: string[] }[] } | undefined)?.certificates ?? []).flatMap(
    (entry) => entry.hosts ?? []
  )
  for (const proxy of proxies.filter(({ kind }) => kind === 'http')) {
    for (const host of hostsOf(proxy)) {
      if (own.includes(host)) continue
      if (!allowed.some((fits) => fits(host))) {
        found.push(`acme: ${host} of the proxy ${proxy.name} gets no certificate: it is not in \`hosts\``)
      } else if (host.startsWith('*.')) {
        found.push(`acme: ${host} of the proxy ${proxy.name} gets no certificate: wildcards need DNS-01`)
      }
    }
  }
  return found
}
