import { type Claim, RystraError, type VisitorInfo } from '@rystra/plugin'

/** Proxies at one path of a host: one, or the members of a group. */
interface Place<Proxy> {
  readonly claim: Claim<Proxy>
  holders: number
}

/** A host, or all below one, with its paths. */
interface Site<Proxy> {
  readonly owner: string
  readonly paths: Map<string, Place<Proxy>>
  /** Characters of the longest path. */
  longest: number
}

/** What was found for a request. */
export type Found<Proxy> = { readonly proxy: Proxy | undefined; readonly claim: Claim<Proxy> } | undefined

/**
 * Which proxies answer for which hosts and paths. A lookup takes as many steps as the host has labels and the path
 * segments, whatever there is in the table.
 *
 * A host is one identity's, with all of its paths; so is what a wildcard covers: who could put a longer path or a nearer
 * host in between would get the requests of somebody else.
 */
export class Table<Proxy> {
  /** Wildcards are under the name without `*`, `.example.org`. */
  readonly #sites = new Map<string, Site<Proxy>>()
  /** How many hosts each identity has below a domain; the key has a dot in front. */
  readonly #below = new Map<string, Map<string, number>>()

  /** Hosts that there are. */
  get size(): number {
    return this.#sites.size
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
      if (wildcard !== undefined && wildcard.owner !== owner) refuse(', which is below a wildcard of somebody else')
    }
    if (!key.startsWith('.')) return
    for (const other of this.#below.get(key)?.keys() ?? []) {
      if (other !== owner) refuse(', which has hosts of somebody else below it')
    }
  }

  /** Adds a holder of `host` and `path`; the answer takes it away. Throws as {@link check} does. */
  add(host: string, path: string, owner: string, claim: Claim<Proxy>): () => void {
    this.check(host, owner)
    const key = keyOf(host)
    let site = this.#sites.get(key)
    if (site === undefined) {
      site = { owner, paths: new Map(), longest: 0 }
      this.#sites.set(key, site)
      this.#count(key, owner, 1)
    }
    let place = site.paths.get(path)
    // The claim is new when all who held the one before are gone without having been taken away yet.
    if (place?.claim !== claim) place = { claim, holders: 0 }
    site.paths.set(path, place)
    site.longest = Math.max(site.longest, path.length)
    place.holders += 1
    return () => this.#leave(key, path, site, place)
  }

  #leave(key: string, path: string, site: Site<Proxy>, place: Place<Proxy>): void {
    place.holders -= 1
    if (place.holders > 0 || site.paths.get(path) !== place) return
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
    const exact = this.#sites.get(host)
    const place = exact === undefined ? undefined : placeAt(exact, path)
    if (place !== undefined) return { proxy: place.claim.pick(visitor), claim: place.claim }
    for (let dot = host.indexOf('.'); dot !== -1; dot = host.indexOf('.', dot + 1)) {
      const site = this.#sites.get(host.slice(dot))
      const below = site === undefined ? undefined : placeAt(site, path)
      if (below !== undefined) return { proxy: below.claim.pick(visitor), claim: below.claim }
    }
    return undefined
  }
}

const keyOf = (host: string): string => (host.startsWith('*.') ? host.slice(1) : host)

/** `.example.org` and `.org` for `app.example.org`, and for `.app.example.org` what it is itself below. */
const domainsOf = (key: string): string[] => {
  const domains: string[] = []
  for (let dot = key.indexOf('.', 1); dot !== -1; dot = key.indexOf('.', dot + 1)) domains.push(key.slice(dot))
  return domains
}

/** The longest path that `path` is at or below. */
const placeAt = <Proxy>(site: Site<Proxy>, path: string): Place<Proxy> | undefined => {
  if (site.longest > 1) {
    let end = Math.min(path.length, site.longest)
    // What is cut off within a segment is no prefix of whole segments.
    if (end < path.length && path[end] !== '/') end = path.lastIndexOf('/', end - 1)
    while (end > 0) {
      const place = site.paths.get(path.slice(0, end))
      if (place !== undefined) return place
      end = path.lastIndexOf('/', end - 1)
    }
  }
  return site.paths.get('/')
}
