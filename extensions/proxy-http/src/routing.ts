import { claimedHosts } from '@rystra/net'
import type { VisitListener, VisitRouting } from '@rystra/plugin'
import type { HttpOptions } from './options.js'
import type { Place } from './serving.js'
import type { HttpSpec } from './spec.js'

/** The path of a spec, as the table of hosts has it. */
export const tablePath = ({ path }: HttpSpec): string => path?.replace(/\/+$/, '') || '/'

const forwardedBy = ({ public: shown }: HttpOptions): VisitListener[] => {
  if (shown === undefined) return []
  const scheme = shown.scheme ?? 'http'
  return [{ scheme, host: '0.0.0.0', port: shown.port ?? (scheme === 'https' ? 443 : 80), forwarded: true }]
}

/** How visitors of http are told apart, for `Runtime.explain`. */
export const routingOf = (place: Place): VisitRouting => ({
  listeners() {
    const { serving } = place
    if (serving === undefined) return []
    const bound = serving.addresses().map((address): VisitListener => ({ ...address, scheme: 'http' }))
    return [...bound, ...forwardedBy(serving.options)]
  },
  find: (host, path) => place.table.locate(host, path),
  claimed: (spec) => ({
    hosts: claimedHosts(spec as HttpSpec, place.serving?.options.baseDomain ?? ''),
    path: tablePath(spec as HttpSpec)
  })
})
