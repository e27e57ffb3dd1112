import type { TlsFacts } from '@rystra/plugin'
import type { QuicheConnection } from './binding.js'
import { factsOf } from './facts.js'
import type { QuicLink } from './link.js'
import type { LinkHost } from './link-host.js'

/** Bytes somebody may send before it is done: two flights, with a long chain of certificates, and some again. */
const MOST = 96 * 1024

/** The handshake of a link: how far it is, and what it may cost. */
export class Handshake {
  /** The other side has finished it, and its certificate is good. */
  done = false
  readonly #connection: QuicheConnection
  readonly #host: LinkHost
  #bytes = 0
  #facts: TlsFacts | undefined

  constructor(connection: QuicheConnection, host: LinkHost) {
    this.#connection = connection
    this.#host = host
  }

  get facts(): TlsFacts {
    return this.#facts ?? factsOf(this.#connection, undefined)
  }

  /** Whether so many bytes more may come before it is done. */
  admits(bytes: number): boolean {
    this.#bytes += bytes
    return this.#bytes <= MOST
  }

  /** Whether something has changed: `early`, the beginning of the first stream may come. Throws `tls.*`. */
  look(link: QuicLink): 'early' | 'done' | undefined {
    if (this.#connection.isEstablished()) {
      this.#facts = factsOf(this.#connection, this.#host.verify(link))
      this.done = true
      return 'done'
    }
    return this.#host.early && this.#connection.isInEarlyData() ? 'early' : undefined
  }
}
