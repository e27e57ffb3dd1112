import type { PeerInfo } from '@rystra/plugin'
import { joinDatagrams, type MemoryDatagramOptions } from './memory-datagrams.js'
import { MemoryStreamLink } from './memory-link.js'
import { type PairOptions, resetError } from './pair.js'
import { Switchboard } from './switchboard.js'

/** How the links of a {@link MemoryStreamsNetwork} behave. */
export interface StreamsNetworkOptions extends PairOptions {
  /** How messages beside the streams fare; `false`: links have no such channel. @default no message is lost */
  readonly datagrams?: MemoryDatagramOptions | false
}

/**
 * A network within the process whose links carry streams, and messages beside them, as those of QUIC do: the transport
 * `memory-streams`. Two networks do not know of each other.
 */
export class MemoryStreamsNetwork extends Switchboard<MemoryStreamLink> {
  readonly name = 'memory-streams'
  readonly #options: StreamsNetworkOptions
  readonly #up = new Set<MemoryStreamLink>()

  constructor(options: StreamsNetworkOptions = {}) {
    super()
    this.#options = options
  }

  cut(): void {
    for (const link of this.#up) link.destroy(resetError())
  }

  protected join(client: PeerInfo, server: PeerInfo): [MemoryStreamLink, MemoryStreamLink] {
    const { datagrams = {}, ...options } = this.#options
    const channels = datagrams === false ? [] : joinDatagrams(datagrams)
    const links = MemoryStreamLink.join([client, server], options, channels)
    for (const link of links) {
      this.#up.add(link)
      link.whenGone(() => this.#up.delete(link))
    }
    return links
  }
}
