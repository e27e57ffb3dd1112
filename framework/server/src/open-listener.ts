import type { Listener, ListenerHandle, ListenerInfo, ListenerStats } from '@rystra/plugin'
import { addressText } from '@rystra/address'
import type { Listening } from './events.js'
import type { LinkCounts } from './link-counts.js'

/** One address on which clients are accepted. */
export class OpenListener implements ListenerHandle {
  readonly info: ListenerInfo
  readonly listening: Listening
  /** The entry it was made of. */
  readonly key: string
  readonly #listener: Listener
  readonly #counts: LinkCounts

  constructor(key: string, listening: Listening, listener: Listener, counts: LinkCounts, since: number) {
    const { transport, host, port, name } = listening
    this.key = key
    this.listening = listening
    this.info = { transport, host, port, ...(name === undefined ? {} : { name }), since }
    this.#listener = listener
    this.#counts = counts
  }

  get id(): string {
    return `${this.info.transport}://${addressText(this.info)}`
  }

  stats(): ListenerStats {
    return this.#counts.stats()
  }

  /** Links that are up go on. */
  close(): Promise<void> {
    return this.#listener.close()
  }
}
