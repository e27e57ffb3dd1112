import { pattern } from '@rystra/address'
import { RystraError, type SessionInfo } from '@rystra/plugin'
import type { Certificates } from './certificates.js'
import { wildcardsOver } from './names.js'
import type { HttpsOptions } from './options.js'

type Matches = (value: string) => boolean

/** The hosts that an identity may pass through. */
export class Policy {
  readonly #allowed: readonly { readonly identity: Matches; readonly hosts: readonly Matches[] }[]
  readonly #base: string

  constructor({ hosts, baseDomain }: Pick<HttpsOptions, 'hosts' | 'baseDomain'>) {
    this.#allowed = hosts.map((entry) => ({ identity: pattern(entry.identity), hosts: entry.hosts.map(pattern) }))
    this.#base = baseDomain
  }

  /** Throws `proxy.claimed`. */
  check({ identity }: SessionInfo, host: string, certificates: Certificates): void {
    const named = this.#allowed.some((one) => one.identity(identity.id) && one.hosts.some((matches) => matches(host)))
    if (this.#allowed.length > 0 && !named) throw claimed(`${identity.id} may not publish under ${host}`)
    // A wildcard over the base domain would get the visitors of other subdomains.
    if (!named && [`*.${this.#base}`, ...wildcardsOver(this.#base)].includes(host)) {
      throw claimed(`${host} has the base domain of the server in it; \`hosts\` of proxy-https can allow it`)
    }
    const held = certificates.holds(host)
    if (held === 'exactly') throw claimed(`${host}, whose TLS ends at the server: publish it with the kind http`)
    // The owner of the host in the kind http must not lose its visitors.
    if (held === 'by wildcard' && !named) {
      throw claimed(`${host}, which a certificate of the server is for; \`hosts\` of proxy-https can allow it`)
    }
  }
}

const claimed = (detail: string): RystraError => new RystraError('proxy.claimed', { side: 'server', detail })
