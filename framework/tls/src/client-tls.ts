import type { X509Certificate } from 'node:crypto'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { ClientTlsOptions } from './fields.js'
import type { TlsHost } from './server-tls.js'

/** What a client trusts, and what it shows. */
export interface ClientTls {
  /** PEM texts. */
  readonly pem: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  /** The name that is sent as SNI; `undefined` for IP addresses. */
  readonly serverName: string | undefined
  /** For `tls.connect` and what is like it, ALPN and socket aside. */
  readonly options: ConnectionOptions
  /**
   * Call it when the handshake is done, and destroy the socket if it throws: what node:tls left to us, the pin above all.
   * Throws `tls.*`.
   */
  check(socket: TLSSocket): void
  /** The same for whom TLS is done by somebody else, who has verified the chain unless there is a pin. */
  checkCertificate(leaf: X509Certificate): void
}

/** Reads the files. Rejects with `tls.files`. */
export declare const readClientTls: (
  options: ClientTlsOptions,
  to: string,
  host: Pick<TlsHost, 'dir'>
) => Promise<ClientTls>
