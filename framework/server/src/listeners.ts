import type { GenerationRef } from '@rystra/kernel'
import type { ResolvedServer } from '@rystra/config'
import type { Clock } from '@rystra/plugin'
import type { Logger } from '@rystra/model'
import type { Acceptor } from './acceptor.js'
import { LinkCounts } from './link-counts.js'
import { OpenListener } from './open-listener.js'

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
