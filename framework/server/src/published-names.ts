import { hostKind, routeName } from '@rystra/net'
import type { Registries } from '@rystra/plugin'
import type { ServerSession } from './server-session.js'

/** Hosts and routes of all kinds, and the names under which proxies are visited. */
export const publishedNames = (registries: Registries, sessions: Iterable<ServerSession>): string[] => {
  const names = new Set<string>()
  for (const kind of registries.proxies.list()) {
    const { hosts, routes } = hostKind(registries, kind) ?? {}
    for (const host of hosts?.() ?? []) names.add(host)
    for (const route of routes?.() ?? []) names.add(routeName(kind, route))
  }
  for (const { proxies } of sessions)
    for (const { visitName } of proxies.values()) if (visitName !== undefined) names.add(visitName)
  return [...names]
}
