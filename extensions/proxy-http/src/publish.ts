import type { HostTable } from '@rystra/net'
import { asciiHostPattern, pattern } from '@rystra/address'
import { type Published, type PublishHost, RystraError } from '@rystra/plugin'
import { isIPv4 } from 'node:net'
import { HttpProxy } from './proxy.js'
import type { HttpOptions } from './options.js'
import { tablePath } from './routing.js'
import type { Serving } from './serving.js'
import type { HttpSpec } from './spec.js'

const refuse = (detail: string): RystraError => new RystraError('proxy.claimed', { side: 'server', detail })

const refuseHost = (host: string): never => {
  throw new RystraError('proxy.invalid', { side: 'client', detail: `host ${JSON.stringify(host)} is not a host name` })
}

/** The hosts a spec asks for, each checked against what its owner may have. */
const hostsOf = ({ host, subdomain }: HttpSpec, owner: string, options: HttpOptions): string[] => {
  const base = options.baseDomain.toLowerCase()
  const written = host === undefined ? [] : [host].flat()
  if (subdomain !== undefined) written.push(`${subdomain}.${base}`)
  // A client may have sent anything: it is brought into the one form here.
  const hosts = new Set(written.map((one) => (isIPv4(one) ? one : (asciiHostPattern(one) ?? refuseHost(one)))))
  for (const one of hosts) {
    const granted = options.hosts.some(
      (rule) => pattern(rule.identity)(owner) && rule.hosts.some((allowed) => pattern(allowed)(one))
    )
    if (granted) continue
    if (options.hosts.length > 0) throw refuse(`the host ${one} is not for this client`)
    if (one.startsWith('*.') && `.${base}`.endsWith(one.slice(1))) {
      throw refuse(`${one} covers the hosts of all clients: allow it with the server's option \`hosts\` of proxy-http`)
    }
  }
  return [...hosts]
}

/** Puts a proxy into the table under all of its hosts. Throws `proxy.*`. */
export const publish = async (
  spec: HttpSpec,
  host: PublishHost,
  table: HostTable<HttpProxy>,
  { options, portShown, checkOtherKind }: Serving
): Promise<Published> => {
  const owner = host.session.identity.id
  const hosts = hostsOf(spec, owner, options)
  const [first] = hosts
  if (first === undefined) {
    throw new RystraError('proxy.invalid', {
      side: 'client',
      detail: `${spec.name}: neither \`host\` nor \`subdomain\``
    })
  }
  const path = tablePath(spec)
  const proxy = new HttpProxy({ ...spec, path }, host, options.maxHeadSize)
  const leave: (() => void)[] = []
  const gone = (): void => {
    for (const one of leave.splice(0)) one()
  }
  // At once: the next holder may come before this one is closed.
  host.signal.addEventListener('abort', gone, { once: true })
  try {
    for (const one of hosts) table.check(one, owner)
    for (const one of hosts) {
      const where = `${one}${path === '/' ? '' : path}`
      const claim = await host.claim(`http ${one} ${path}`, proxy, where)
      if (host.signal.aborted) throw new RystraError('session.lost')
      leave.push(table.add(one, path, owner, claim))
      // Once it is there: of two who ask at once, the second sees the first.
      checkOtherKind(one, owner)
    }
  } catch (error) {
    gone()
    throw error
  }
  const port = portShown()
  const scheme = options.public?.scheme ?? 'http'
  return { address: `${scheme}://${first}${port}${path === '/' ? '' : path}`, close: gone }
}
