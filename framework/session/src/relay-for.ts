import type { Pump, PumpDone, RawStream } from '@rystra/bytes'
import { type RystraError, toRystraError } from '@rystra/model'
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

/** Joins two streams by a relay of an extension. `undefined` if it throws: both are reset then, and `failed` is told. */
export const joinBy = (
  relay: Relay,
  a: RawStream,
  b: RawStream,
  done: PumpDone,
  failed: (error: RystraError) => void
): Pump | undefined => {
  try {
    return relay.join(a, b, done)
  } catch (cause) {
    failed(toRystraError(cause, 'internal', { detail: `relay ${relay.name}` }))
    a.reset()
    b.reset()
    return undefined
  }
}
