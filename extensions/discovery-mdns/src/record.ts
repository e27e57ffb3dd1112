import { type Announcement, announcementProblem, type FoundServer } from '@rystra/plugin'
import type { Service } from 'bonjour-service'
import { isIPv4 } from 'node:net'

/** Service type of DNS-SD: `_rystra._tcp`, also for transports over UDP, so that one search finds all. */
export const SERVICE_TYPE = 'rystra'

/** Of the text record. */
const VERSION = '1'

/** The text record of an announcement: the name is not in the label, which is different for each server. */
export const textOf = ({ name, transport, fingerprint }: Announcement): Record<string, string> => ({
  v: VERSION,
  n: name,
  t: transport,
  ...(fingerprint === undefined ? {} : { f: fingerprint })
})

const text = (service: Service, key: string): string | undefined => {
  const value: unknown = Object.hasOwn(service.txt ?? {}, key) ? service.txt[key] : undefined
  return typeof value === 'string' ? value : undefined
}

/**
 * The server that an answer speaks of, if it makes sense. Its host is the address that the answer came from: what an
 * answer says of addresses is not used, so that it cannot direct clients to others.
 *
 * @param port that answers come from (RFC 6762, section 6)
 */
export const serverOf = (service: Service, port: number): FoundServer | undefined => {
  const { referer } = service
  if (referer === undefined || referer.port !== port || !isIPv4(referer.address)) return undefined
  if (text(service, 'v') !== VERSION) return undefined
  const fingerprint = text(service, 'f')
  const server: FoundServer = {
    name: text(service, 'n') ?? '',
    transport: text(service, 't') ?? '',
    port: service.port,
    host: referer.address,
    ...(fingerprint === undefined ? {} : { fingerprint })
  }
  return announcementProblem(server) === undefined ? server : undefined
}
