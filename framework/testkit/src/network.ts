import type { ByteLink, PeerInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import { duplexPair, type PairOptions, resetError } from './pair.js'
import { Switchboard } from './switchboard.js'

/** A network within the process: a transport whose links never leave it. Two networks do not know of each other. */
export class MemoryNetwork extends Switchboard<ByteLink> {
  readonly name = 'memory'
  readonly #options: PairOptions
  readonly #up = new Set<Duplex>()

  constructor(options: PairOptions = {}) {
    super()
    this.#options = options
  }

  cut(): void {
    for (const end of this.#up) end.destroy(resetError())
  }

  protected join(client: PeerInfo, server: PeerInfo): [ByteLink, ByteLink] {
    const ends = duplexPair(this.#options)
    for (const end of ends) {
      this.#up.add(end)
      end.once('close', () => this.#up.delete(end))
    }
    return [
      { kind: 'bytes', duplex: ends[0], peer: client },
      { kind: 'bytes', duplex: ends[1], peer: server }
    ]
  }
}
