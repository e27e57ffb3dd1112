import { Kernel, loadWithPreset } from '@rystra/kernel'
import { type Logger, RystraError } from '@rystra/model'
import type { ExtensionEntry, FoundServer } from '@rystra/plugin'

/** Transports of one search, at most: any host can answer, with any number. */
const MAX_TRANSPORTS = 16

/** Which servers are looked for, and for how long. */
export interface DiscoverSearch {
  readonly name: string
  /** Only servers with this transport. */
  readonly transport: string | undefined
  /** The extension that finds. */
  readonly discovery: ExtensionEntry
  /** Milliseconds. */
  readonly timeout: number
  readonly log: Logger | undefined
}

/**
 * Calls `attempt` once for each transport that servers of a name announce, all at the same time: an answer of a host that
 * is no server holds up none of the others. Resolves to the first that succeeds, aborts the rest, and closes those that
 * succeed all the same. Rejects with `discovery.not-found` when the time is over.
 */
export const firstThatConnects = async <Client extends { close(): Promise<void> }>(
  { name, transport: only, discovery, timeout, log }: DiscoverSearch,
  attempt: (transport: string, signal: AbortSignal) => Promise<Client>
): Promise<Client> => {
  const over = new AbortController()
  const attempts = new Map<string, Promise<unknown>>()
  let cause: unknown
  let found: Client | undefined
  const begin = (transport: string): void => {
    const attempted = attempt(transport, over.signal)
      .then((client) => {
        if (found !== undefined) return client.close()
        found = client
        over.abort()
        return undefined
      })
      .catch((error) => {
        cause = error
      })
    attempts.set(transport, attempted)
  }
  const timer = setTimeout(() => over.abort(), timeout)
  try {
    for await (const { transport } of serversOf(name, discovery, log, over.signal))
      if ((only ?? transport) === transport && !attempts.has(transport) && attempts.size < MAX_TRANSPORTS)
        begin(transport)
    await Promise.all(attempts.values())
  } finally {
    clearTimeout(timer)
    over.abort()
  }
  if (found !== undefined) return found
  const last = cause instanceof Error ? `: the last that was found failed: ${cause.message}` : ''
  throw new RystraError('discovery.not-found', { detail: `${name}${last}`, cause })
}

/** Servers of a name, as they answer. */
const serversOf = async function* (
  name: string,
  discovery: ExtensionEntry,
  log: Logger | undefined,
  signal: AbortSignal
): AsyncGenerator<FoundServer> {
  const kernel = new Kernel({ side: 'client', ...(log === undefined ? {} : { log }) })
  try {
    await kernel.provision(await loadWithPreset([discovery], { dir: process.cwd() }))
    const { discoveries } = kernel.current.registries
    const finder = discoveries
      .list()
      .map((each) => discoveries.get(each))
      .find(({ find }) => find !== undefined)
    if (finder?.find === undefined) throw new RystraError('registry.unknown', { detail: 'a discovery that can find' })
    yield* finder.find(name, signal)
  } finally {
    await kernel.stop()
  }
}
