import type { GenerationRef } from '@rystra/kernel'
import type { ResolvedServer } from '@rystra/config'
import type { Clock, Listener, ListenerHandle, ListenerInfo, ListenerStats } from '@rystra/plugin'
import type { Logger } from '@rystra/model'
import { hostPort } from '@rystra/address'
import type { Acceptor } from './acceptor.js'
import type { Listening } from './events.js'
import { LinkCounts } from './link-counts.js'

/** One address on which clients are accepted. */
export class OpenListener implements ListenerHandle {
  readonly info: ListenerInfo
  readonly listening: Listening
  /** The entry it was made of. */
  readonly key: string
  readonly #listener: Listener
  readonly #counts: LinkCounts

  constructor(key: string, listening: Listening, listener: Listener, counts: LinkCounts, since: number) {
    const { transport, host, port } = listening
    this.key = key
    this.listening = listening
    this.info = { transport, host, port, since }
    this.#listener = listener
    this.#counts = counts
  }

  get id(): string {
    const { transport, host, port } = this.info
    return `${transport}://${hostPort(host, port)}`
  }

  stats(): ListenerStats {
    return this.#counts.stats()
  }

  /** Links that are up go on. */
  close(): Promise<void> {
    return this.#listener.close()
  }
}

/** The addresses on which a server accepts clients. */
export class Listeners {
  readonly #acceptor: Acceptor
  readonly #clock: Clock
  readonly #log: Logger
  #open: readonly OpenListener[] = []

  constructor(acceptor: Acceptor, clock: Clock, log: Logger) {
    this.#acceptor = acceptor
    this.#clock = clock
    this.#log = log
  }

  list(): readonly OpenListener[] {
    return this.#open
  }

  /**
   * Opens what `config` lists and is not open yet, and answers with all that it lists. Closes what it opened when one
   * fails, and rejects with `listen.*`.
   */
  async open({ listen }: ResolvedServer, generation: GenerationRef): Promise<readonly OpenListener[]> {
    const listed: OpenListener[] = []
    try {
      for (const entry of listen) {
        const key = JSON.stringify(entry)
        const kept = this.#open.find((other) => other.key === key && !listed.includes(other))
        if (kept !== undefined) {
          listed.push(kept)
          continue
        }
        const counts = new LinkCounts()
        const listener = await this.#acceptor.listen(entry, generation, counts)
        const { address, join } = listener
        const listening = { transport: entry.transport, ...address, ...(join === undefined ? {} : { join }) }
        listed.push(new OpenListener(key, listening, listener, counts, this.#clock.now()))
        this.#log.info({ transport: entry.transport, ...listener.address }, 'listening')
      }
      return listed
    } catch (error) {
      await this.close(listed.filter((one) => !this.#open.includes(one)))
      throw error
    }
  }

  /** Puts these in place of the present ones: answers with those that are new, and closes those that are gone. */
  async use(next: readonly OpenListener[]): Promise<{ readonly fresh: OpenListener[]; readonly gone: OpenListener[] }> {
    const before = this.#open
    this.#open = next
    const gone = before.filter((one) => !next.includes(one))
    await this.close(gone)
    return { fresh: next.filter((one) => !before.includes(one)), gone }
  }

  /** Never rejects: one that fails is logged, and keeps nothing else from being closed. */
  async close(listeners: readonly OpenListener[]): Promise<void> {
    const closing = listeners.map(async (one) => {
      try {
        await one.close()
      } catch (error) {
        this.#log.error({ err: error, listener: one.id }, 'a listener could not be closed')
      }
    })
    await Promise.all(closing)
  }
}
