import type { HostTable } from '@rystra/net'
import { type Published, type PublishHost, RystraError } from '@rystra/plugin'
import type { Certificates } from './certificates.js'
import type { PassOn } from './front.js'
import { asciiHostPattern } from '@rystra/address'
import type { Policy } from './policy.js'
import type { ProvidedCertificates } from './provided.js'
import type { HttpsSpec } from './spec.js'

/** What proxies are published with. */
export interface World {
  readonly routes: HostTable<PassOn>
  readonly policy: Policy
  readonly certificates: Certificates
  readonly provided: ProvidedCertificates
  readonly baseDomain: string
  /** What stands behind the host in addresses. */
  port(): string
  /** Throws `proxy.claimed` when a host is another identity's by http. */
  checkOtherKind(host: string, identity: string): void
}

/** The names a spec asks for. A client may have sent anything. */
const namesOf = ({ name, host, subdomain }: HttpsSpec, baseDomain: string): string[] => {
  const written = host === undefined ? [] : Array.isArray(host) ? [...host] : [host]
  if (subdomain !== undefined) written.push(`${subdomain}.${baseDomain}`)
  const invalid = (detail: string): RystraError =>
    new RystraError('proxy.invalid', { side: 'client', detail: `${name}: ${detail}` })
  if (written.length === 0) throw invalid('neither `host` nor `subdomain`')
  const names = written.map((one) => {
    const ascii = asciiHostPattern(one)
    if (ascii === undefined) throw invalid(`"${one}" is no host`)
    return ascii
  })
  return [...new Set(names)]
}

/** Has visitors who ask for the names of a spec pass through to it. Throws `proxy.*`. */
export const publish = async (spec: HttpsSpec, host: PublishHost, world: World): Promise<Published> => {
  const { routes, policy, certificates } = world
  const owner = host.session.identity.id
  const names = namesOf(spec, world.baseDomain)
  const passOn: PassOn = (visitor, info, failover) => host.relay(visitor, info, { failover })
  const leave: (() => void)[] = []
  const gone = (): void => {
    for (const one of leave.splice(0)) one()
  }
  // At once: the next holder may come before this one is closed.
  host.signal.addEventListener('abort', gone, { once: true })
  try {
    for (const name of names) {
      policy.check(host.session, name, certificates)
      routes.check(name, owner)
    }
    for (const name of names) {
      const claim = await host.claim(`https ${name}`, passOn, name)
      if (host.signal.aborted) throw new RystraError('session.lost')
      leave.push(routes.add(name, '/', owner, claim))
      // Once it is there: of two who ask at once, the second sees the first.
      world.checkOtherKind(name, owner)
    }
  } catch (error) {
    gone()
    throw error
  }
  return { address: `https://${names[0]}${world.port()}`, close: gone }
}
