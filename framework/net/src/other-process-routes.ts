import type { OtherProcess, VisitorRoute } from '@rystra/plugin'
import { widerThan } from './host-table.js'

/** The name of a route between processes. */
export const routeName = (kind: string, { host, path }: VisitorRoute): string => `${kind} ${host}${path}`

const pathOf = (name: string): string => {
  const [, path = ''] = /^[^ ]+ [^/]+(\/.*)$/.exec(name) ?? []
  return path
}

/** What another process has published, by the names that it gave: hosts, names of visits, and routes. */
export class OtherProcessRoutes implements OtherProcess {
  readonly #names: ReadonlySet<string>
  /** Length of the longest path. */
  readonly #longest: number

  constructor(names: Iterable<string>) {
    this.#names = new Set(names)
    let longest = 1
    for (const name of this.#names) longest = Math.max(longest, pathOf(name).length)
    this.#longest = longest
  }

  /** Whether this host or name was published, itself or by a wildcard. */
  covers(name: string): boolean {
    for (let wider: string | undefined = name; wider !== undefined; wider = widerThan(wider))
      if (this.#names.has(wider)) return true
    return false
  }

  isMissingIn(names: ReadonlySet<string>): boolean {
    for (const name of this.#names) if (!names.has(name)) return true
    return false
  }

  has(kind: string, { host, path }: VisitorRoute, found: VisitorRoute | undefined): boolean {
    for (let name: string | undefined = host; name !== undefined; name = widerThan(name)) {
      for (const at of this.#pathsOver(path)) {
        if (name === found?.host && at.length <= found.path.length) return false
        if (this.#names.has(routeName(kind, { host: name, path: at }))) return true
      }
    }
    return false
  }

  /** Those that a path is at or below, the longest first. A path matches whole segments. */
  *#pathsOver(path: string): Iterable<string> {
    let end = Math.min(path.length, this.#longest)
    if (end < path.length && path[end] !== '/') end = path.lastIndexOf('/', end - 1)
    while (end > 1) {
      yield path.slice(0, end)
      end = path.lastIndexOf('/', end - 1)
    }
    yield '/'
  }
}
