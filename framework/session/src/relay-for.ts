import type { RawStream } from '@rystra/bytes'
import type { Registry, Relay } from '@rystra/plugin'

/** The first registered relay that can join these two, if any. */
export const relayFor = (relays: Registry<Relay>, visitor: RawStream, service: RawStream): Relay | undefined => {
  const names = relays.list()
  if (names.length === 0) return undefined
  return names.map((name) => relays.get(name)).find((relay) => relay.accepts(visitor, service))
}
