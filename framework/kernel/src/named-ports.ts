import { type ListenHost, RystraError } from '@rystra/plugin'

const named = new WeakMap<ListenHost, Map<string, ListenHost>>()

/** The ports of an end with the name of the extension that listens: one object for all generations of the extension. */
export const portsOf = (ports: ListenHost, extension: string): ListenHost => {
  const byName = named.get(ports) ?? new Map<string, ListenHost>()
  named.set(ports, byName)
  const made = byName.get(extension) ?? {
    get returning() {
      return ports.returning
    },
    awaits: (name) => ports.awaits?.(name) ?? true,
    get otherProcess() {
      return ports.otherProcess
    },
    listenTcp: (options, signal) => ports.listenTcp({ owner: extension, ...options }, signal)
  }
  byName.set(extension, made)
  return made
}

/** For an end that binds none. */
export const noPorts: ListenHost = {
  returning: undefined,
  listenTcp: ({ host, port }) =>
    Promise.reject(new RystraError('listen.unavailable', { detail: `tcp ${host}:${port}, extensions bind none here` }))
}
