import { pattern } from '@rystra/address'
import { hostKind } from '@rystra/net'
import type { Registries } from '@rystra/plugin'
import { isIP } from 'node:net'

/** Hosts that are published, by what becomes of them. */
export interface Wanted {
  /** May have a certificate. */
  readonly hosts: ReadonlySet<string>
  /** Would be allowed, and cannot have one. */
  readonly wildcards: ReadonlySet<string>
}

/**
 * The hosts that certificates are ordered for: published by a proxy of kind http, allowed by `hosts`, and without a
 * certificate of the configuration. What a visitor asks for is never among the reasons.
 */
export const wantedHosts = (registries: Registries, allowed: readonly string[]): Wanted => {
  const patterns = allowed.map((one) => pattern(one.toLowerCase()))
  const https = hostKind(registries, 'https')
  const hosts = new Set<string>()
  const wildcards = new Set<string>()
  for (const host of hostKind(registries, 'http')?.hosts?.() ?? []) {
    if (isIP(host) !== 0 || https?.secures?.(host) === true || !patterns.some((fits) => fits(host))) continue
    if (host.startsWith('*.')) wildcards.add(host)
    else hosts.add(host)
  }
  return { hosts, wildcards }
}
