import { type LimitFields, limitsOf } from './limits.js'
import type { UdpServicesOptions } from './services.js'

type Service = Required<Pick<UdpServicesOptions, 'current'>> & Pick<UdpServicesOptions, 'local' | 'limits'>

/** The service that an entry names, and what it is after each change of the entry. */
export const liveService = (entry: () => LimitFields & { readonly local?: unknown }): Service => {
  const read = (): Pick<UdpServicesOptions, 'local' | 'limits'> => ({
    local: String(seen.local),
    limits: limitsOf(seen)
  })
  let seen = entry()
  let service = read()
  const current = (): typeof service => {
    const now = entry()
    if (now !== seen) {
      seen = now
      service = read()
    }
    return service
  }
  return { ...service, current }
}
