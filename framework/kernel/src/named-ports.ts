import { type ListenHost, RystraError } from '@rystra/plugin'

const named = new WeakMap<ListenHost, Map<string, ListenHost>>()

/** With the name of an extension. A class: accessors of a literal give each object a shape of its own. */
class NamedPorts implements ListenHost {
  readonly #ports: ListenHost
  readonly #owner: string

  constructor(ports: ListenHost, owner: string) {
    this.#ports = ports
    this.#owner = owner
  }

  get returning(): ListenHost['returning'] {
    return this.#ports.returning
  }

  awaits(name: string): boolean {
    return this.#ports.awaits?.(name) ?? true
  }

  get otherProcess(): ListenHost['otherProcess'] {
    return this.#ports.otherProcess
  }

  listenTcp(...[options, signal]: Parameters<ListenHost['listenTcp']>): ReturnType<ListenHost['listenTcp']> {
    return this.#ports.listenTcp({ owner: this.#owner, ...options }, signal)
  }
}

/** The ports of an end with the name of the extension that listens: one object for all generations of the extension. */
export const portsOf = (ports: ListenHost, extension: string): ListenHost => {
  const byName = named.get(ports) ?? new Map<string, ListenHost>()
  named.set(ports, byName)
  const made = byName.get(extension) ?? new NamedPorts(ports, extension)
  byName.set(extension, made)
  return made
}

/** For an end that binds none. */
export const noPorts: ListenHost = {
  returning: undefined,
  listenTcp: ({ host, port }) =>
    Promise.reject(new RystraError('listen.unavailable', { detail: `tcp ${host}:${port}, extensions bind none here` }))
}
