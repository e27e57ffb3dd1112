import { type Claim, RystraError, type VisitorInfo, type VisitorRoute } from '@rystra/plugin'

/** The proxies at one path of a host: one, or the members of a group. */
interface Route<Proxy> {
  readonly claim: Claim<Proxy>
  holders: number
}

/** A host, or all hosts below one, with its paths. */
interface Site<Proxy> {
  readonly owner: string
  readonly paths: Map<string, Route<Proxy>>
  /** Length of the longest path. */
  longest: number
}

/** The route of a request. */
export type Found<Proxy> = { readonly proxy: Proxy | undefined; readonly claim: Claim<Proxy> } | undefined

/**
 * The proxies of hosts and paths. A lookup takes as many steps as the host has labels and the path has segments, whatever
 * the size of the table.
 *
 * A host belongs to one identity, with all of its paths, and so does all that a wildcard covers: another identity with a
 * longer path or a nearer host would get requests that belong to the first.
 */
export class HostTable<Proxy> {
  /** Wildcards are under the name without `*`, `.example.org`. */
  readonly #sites = new Map<string, Site<Proxy>>()
  /** How many hosts each identity has below a domain; the key has a dot in front. */
  readonly #below = new Map<string, Map<string, number>>()

  /** Hosts, wildcards included. */
  get size(): number {
    return this.#sites.size
  }

  /** Hosts, wildcards as `*.example.org`. */
  *hosts(): Iterable<string> {
    for (const key of this.#sites.keys()) yield key.startsWith('.') ? `*${key}` : key
  }

  /** What {@link locate} may find. */
  *routes(): Iterable<VisitorRoute> {
    for (const [key, { paths }] of this.#sites) {
      const host = key.startsWith('.') ? `*${key}` : key
      for (const path of paths.keys()) yield { host, path }
    }
  }

  /** Throws `proxy.claimed` when `host` is another identity's, or would cover or cut into what is. */
  check(host: string, owner: string): void {
    const key = keyOf(host)
    const refuse = (what: string): never => {
      throw new RystraError('proxy.claimed', { side: 'server', detail: `${host}${what}` })
    }
    const there = this.#sites.get(key)
    if (there !== undefined && there.owner !== owner) refuse('')
    for (const domain of domainsOf(key)) {
      const wildcard = this.#sites.get(domain)
      if (wildcard !== undefined && wildcard.owner !== owner) refuse(', which is below a wildcard of another identity')
    }
    if (!key.startsWith('.')) return
    for (const other of this.#below.get(key)?.keys() ?? []) {
      if (other !== owner) refuse(', which covers hosts of another identity')
    }
  }

  /** Adds a holder of `host` and `path`. The returned function removes it. Throws as {@link check} does. */
  add(host: string, path: string, owner: string, claim: Claim<Proxy>): () => void {
    this.check(host, owner)
    const key = keyOf(host)
    let site = this.#sites.get(key)
    if (site === undefined) {
      site = { owner, paths: new Map(), longest: 0 }
      this.#sites.set(key, site)
      this.#count(key, owner, 1)
    }
    let route = site.paths.get(path)
    // The claim is new when its last holder has ended without being removed yet.
    if (route?.claim !== claim) route = { claim, holders: 0 }
    site.paths.set(path, route)
    site.longest = Math.max(site.longest, path.length)
    route.holders += 1
    return () => this.#remove(key, path, site, route)
  }

  #remove(key: string, path: string, site: Site<Proxy>, route: Route<Proxy>): void {
    route.holders -= 1
    if (route.holders > 0 || site.paths.get(path) !== route) return
    site.paths.delete(path)
    site.longest = Math.max(0, ...[...site.paths.keys()].map((one) => one.length))
    if (site.paths.size > 0) return
    this.#sites.delete(key)
    this.#count(key, site.owner, -1)
  }

  #count(key: string, owner: string, change: 1 | -1): void {
    for (const domain of domainsOf(key)) {
      const owners = this.#below.get(domain) ?? new Map<string, number>()
      const count = (owners.get(owner) ?? 0) + change
      if (count > 0) owners.set(owner, count)
      else owners.delete(owner)
      if (owners.size > 0) this.#below.set(domain, owners)
      else this.#below.delete(domain)
    }
  }

  /**
   * The proxy for a host, in lower case and without port, and a path; `{ proxy: undefined }` when no member of the group
   * there can serve.
   */
  find(host: string, path: string, visitor: VisitorInfo): Found<Proxy> {
    const claim = this.exact(host, path) ?? this.covering(host, path)
    return claim === undefined ? undefined : { proxy: claim.pick(visitor), claim }
  }

  /** The entry that {@link find} takes, as it was added. */
  locate(host: string, path: string): VisitorRoute | undefined {
    for (let name: string | undefined = host; name !== undefined; name = widerThan(name)) {
      const site = this.#sites.get(keyOf(name))
      const route = site === undefined ? undefined : routeAt(site, path)
      if (route === undefined) continue
      const [at = '/'] = [...(site as Site<Proxy>).paths].find(([, one]) => one === route) ?? []
      return { host: name, path: at }
    }
    return undefined
  }

  /** The claim of exactly this host or wildcard. */
  exact(host: string, path = '/'): Claim<Proxy> | undefined {
    const site = this.#sites.get(keyOf(host))
    return site === undefined ? undefined : routeAt(site, path)?.claim
  }

  /** The claim of the nearest wildcard over a host. */
  covering(host: string, path = '/'): Claim<Proxy> | undefined {
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const claim = this.exact(`*${host.slice(dot)}`, path)
      if (claim !== undefined) return claim
    }
    return undefined
  }
}

/** The next wildcard over a host or a wildcard. */
export const widerThan = (name: string): string | undefined => {
  const dot = name.indexOf('.', name.startsWith('*.') ? 2 : 0)
  return dot === -1 ? undefined : `*${name.slice(dot)}`
}

const keyOf = (host: string): string => (host.startsWith('*.') ? host.slice(1) : host)

/** `.example.org` and `.org` for `app.example.org`, and also for `.app.example.org`. */
const domainsOf = (key: string): string[] => {
  const domains: string[] = []
  for (let dot = key.indexOf('.', 1); dot !== -1; dot = key.indexOf('.', dot + 1)) domains.push(key.slice(dot))
  return domains
}

/** The longest path that `path` is at or below. */
const routeAt = <Proxy>(site: Site<Proxy>, path: string): Route<Proxy> | undefined => {
  if (site.longest > 1) {
    let end = Math.min(path.length, site.longest)
    // A path matches whole segments.
    if (end < path.length && path[end] !== '/') end = path.lastIndexOf('/', end - 1)
    while (end > 0) {
      const route = site.paths.get(path.slice(0, end))
      if (route !== undefined) return route
      end = path.lastIndexOf('/', end - 1)
    }
  }
  return site.paths.get('/')
}
