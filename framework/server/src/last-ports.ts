import { BoundedMap } from '@rystra/limits'
import type { SessionInfo } from '@rystra/model'

/** Ports remembered, at most: as many proxies as a large server has, in a few megabytes. */
const LIMIT = 10_000

/** Names a proxy of a client for {@link LastPorts}. */
export const lastPortKey = ({ identity, client }: SessionInfo, proxy: string): string =>
  JSON.stringify([identity.id, client.id, proxy])

/**
 * The ports that the server chose, by proxy of a client: a client that comes back gets the one its visitors know, if it
 * is free.
 */
export type LastPorts = Map<string, number>
export const lastPorts = (): LastPorts => new BoundedMap(LIMIT)
