import type { TlsFacts } from '@rystra/plugin'
import type { QuicheConnection } from './binding.js'
import type { HostedLink, LinkHost } from './link-host.js'

/** The TLS facts that the binding reports: neither cipher nor keying material, so there is no channel binding. */
const factsOf = (connection: QuicheConnection, certificate: Uint8Array | undefined): TlsFacts => {
  const alpn = Buffer.from(connection.applicationProto()).toString('latin1')
  const serverName = connection.serverName()
  return {
    version: 'TLSv1.3',
    cipher: 'unknown',
    ...(alpn === '' ? {} : { alpn }),
    ...(serverName === null ? {} : { serverName }),
    ...(certificate === undefined ? {} : { certificate })
  }
}

/** Bytes accepted before the handshake is complete: two flights with a long certificate chain, and retransmissions. */
const MAX_HANDSHAKE_BYTES = 96 * 1024

/** State and cost of the handshake of a link. */
export class Handshake {
  /** The peer has completed it with a valid certificate. */
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

  /** Whether `bytes` more are accepted before completion. */
  admits(bytes: number): boolean {
    this.#bytes += bytes
    return this.#bytes <= MAX_HANDSHAKE_BYTES
  }

  /** Checks for progress. `early`: the beginning of the first stream may be read. Throws `tls.*`. */
  check(link: HostedLink): 'early' | 'done' | undefined {
    if (this.#connection.isEstablished()) {
      this.#facts = factsOf(this.#connection, this.#host.verify(link))
      this.done = true
      return 'done'
    }
    return this.#host.early && this.#connection.isInEarlyData() ? 'early' : undefined
  }
}
