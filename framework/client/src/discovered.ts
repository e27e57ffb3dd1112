import type { GenerationRef } from '@rystra/kernel'
import type { ConnectConfig } from '@rystra/config'
import { RystraError } from '@rystra/model'
import type { Clock, FoundServer } from '@rystra/plugin'
import { type KnownServer, knownServer } from './known-server.js'

/** Milliseconds in which servers are looked for, and in which one that was found has to authenticate. */
const DISCOVER_TIMEOUT_MS = 5000
const PROVE_TIMEOUT_MS = 5000

/** What a search for a server is made of. */
export interface Search {
  readonly connect: ConnectConfig
  readonly generation: GenerationRef
  readonly clock: Clock
  readonly signal: AbortSignal
}

/** Work with a signal that aborts after some time, or with another. */
export const within = <T>(
  { clock, signal }: Search,
  ms: number,
  work: (signal: AbortSignal) => Promise<T>
): Promise<T> => {
  const timeout = new AbortController()
  const cancel = clock.after(ms, () => timeout.abort(new RystraError('protocol.timeout', { side: 'server' })))
  return work(AbortSignal.any([signal, timeout.signal])).finally(cancel)
}

/** However a fingerprint is written: with colons, in capitals. */
const bare = (fingerprint: string): string => fingerprint.replaceAll(/[^0-9a-z]/gi, '').toLowerCase()

/** Whether a server may be the one that is wanted: an announced fingerprint only rules out. */
const fits = ({ transport, fingerprint: pin }: ConnectConfig, server: FoundServer): boolean => {
  const { fingerprint } = server
  if (transport !== server.transport) return false
  return typeof pin !== 'string' || fingerprint === undefined || bare(pin) === bare(fingerprint)
}

/**
 * Connects to the first server that discovery finds and that authenticates. Any host can answer a search, so a server that
 * was found and fails is passed over, whatever its error: what is thrown then is `discovery.not-found`, which can pass by
 * itself.
 */
export const connectToFound = async <Session>(
  search: Search,
  name: string,
  attempt: (server: KnownServer, signal: AbortSignal) => Promise<Session>
): Promise<Session> => {
  const { connect, generation, signal } = search
  const { discoveries } = generation.registries
  const [found] = discoveries.list().flatMap((one) => discoveries.get(one).find?.bind(discoveries.get(one)) ?? [])
  if (found === undefined) throw new RystraError('registry.unknown', { detail: 'a discovery that can find' })
  return within(search, DISCOVER_TIMEOUT_MS, async (looking) => {
    let cause: unknown
    for await (const server of found(name, looking)) {
      if (!fits(connect, server)) continue
      try {
        return await within(search, PROVE_TIMEOUT_MS, (proving) => attempt(knownServer(connect, server), proving))
      } catch (error) {
        signal.throwIfAborted()
        cause = error
      }
    }
    signal.throwIfAborted()
    const last = cause instanceof Error ? `: the last that was found failed: ${cause.message}` : ''
    throw new RystraError('discovery.not-found', { detail: `${name}${last}`, cause })
  })
}
