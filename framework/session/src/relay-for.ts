import type { RawStream } from '@rystra/bytes'
import type { Registry, Relay } from '@rystra/plugin'

/** The first registered relay that can join these two, if any. One that throws when it is asked throws when it joins. */
export const relayFor = (relays: Registry<Relay>, visitor: RawStream, service: RawStream): Relay | undefined => {
  for (const name of relays.list()) {
    const relay = relays.get(name)
    try {
      if (relay.accepts(visitor, service)) return relay
    } catch (error) {
      const join = (): never => {
        throw error
      }
      return { name, accepts: () => true, join }
    }
  }
  return undefined
}
