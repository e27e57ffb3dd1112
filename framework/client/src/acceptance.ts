import { asciiHost, formatEndpoint, hostPort, networks, portAllowed } from '@rystra/address'
import { localFieldsOf, type ResolvedClient } from '@rystra/config'
import { type ProxySpec, RystraError } from '@rystra/model'
import type { ProxyKind, Registry } from '@rystra/plugin'
import { isIP } from 'node:net'
import { parseService } from './service.js'

type Accept = ResolvedClient['accept']

/** Fields for the client alone that a server may set: others name files and secrets of this machine. */
const harmless = new Set(['local', 'proxyProtocol'])

/** What a port alone, or `localhost`, stands for. */
const loopbacks = ['localhost', '127.0.0.1', '::1']

const notAccepted = (detail: string): RystraError => new RystraError('proxy.not-accepted', { side: 'client', detail })

/** What `client.accept` says. */
class Acceptance {
  readonly #accept: Accept
  readonly #isAddress: (host: string) => boolean
  readonly #names: ReadonlySet<string>

  constructor(accept: Accept) {
    this.#accept = accept
    const others = accept.hosts.filter((host) => host.startsWith('unix:') || asciiHost(host) !== undefined)
    this.#names = new Set(others)
    this.#isAddress = networks(
      accept.hosts.filter((host) => !this.#names.has(host)),
      'client.accept.hosts'
    )
  }

  /** How many there may be. */
  get max(): number {
    return this.#accept.max
  }

  /** Whether the kind, and what it would read here, is accepted. Throws `proxy.not-accepted` or `proxy.unknown-kind`. */
  checkKind(spec: ProxySpec, kinds: Registry<ProxyKind>): void {
    const { kind } = spec
    if (!this.#accept.kinds.includes(kind)) throw notAccepted(`kind ${kind}`)
    if (!kinds.has(kind)) throw new RystraError('proxy.unknown-kind', { side: 'client', detail: kind })
    const local = localFieldsOf(kinds.get(kind))
    const other = Object.keys(spec).find((field) => local.has(field) && !harmless.has(field))
    if (other !== undefined) throw notAccepted(`${other}: it is set at the client alone`)
    if (!local.has('local')) throw notAccepted(`kind ${kind}: its proxies do not name a service`)
  }

  /** The service in the form in which it is accepted. No name is resolved. Throws `proxy.not-accepted`. */
  service(local: unknown): string {
    if (typeof local !== 'string' && typeof local !== 'number') throw notAccepted('expected a service in `local`')
    const service = parseService(String(local))
    if ('path' in service) {
      const socket = formatEndpoint(service)
      if (this.#names.has(socket)) return socket
      throw notAccepted(socket)
    }
    const { host, port } = service
    const found = (host === 'localhost' ? loopbacks : [host]).find((one) => this.#accepts(one))
    if (found === undefined || !portAllowed(this.#accept.ports, port)) throw notAccepted(hostPort(host, port))
    return hostPort(found, port)
  }

  #accepts(host: string): boolean {
    if (isIP(host) === 0) return this.#names.has(asciiHost(host) ?? host)
    // The zone chooses an interface, which the list does not name.
    if (host.includes('%')) return false
    return this.#isAddress(host) || (isLoopback(host) && this.#names.has('localhost'))
  }
}

const isLoopback = (host: string): boolean => host === '127.0.0.1' || host === '::1'

const made = new WeakMap<Accept, Acceptance>()

/** That of a configuration, made once. */
export const acceptanceOf = ({ accept }: ResolvedClient): Acceptance => {
  const known = made.get(accept)
  if (known !== undefined) return known
  const acceptance = new Acceptance(accept)
  made.set(accept, acceptance)
  return acceptance
}
