import { hostKind } from '@rystra/net'
import type { Registries } from '@rystra/plugin'
import type { ServerSession } from './server-session.js'

/** Hosts of all kinds, and the names under which proxies are visited. */
export const publishedNames = (registries: Registries, sessions: Iterable<ServerSession>): string[] => {
  const names = new Set<string>()
  for (const kind of registries.proxies.list())
    for (const host of hostKind(registries, kind)?.hosts?.() ?? []) names.add(host)
  for (const { proxies } of sessions)
    for (const { visitName } of proxies.values()) if (visitName !== undefined) names.add(visitName)
  return [...names]
}
