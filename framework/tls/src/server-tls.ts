import type { Clock, Logger } from '@rystra/plugin'
import type { SecureContextOptions, TlsOptions } from 'node:tls'
import type { ServerTlsOptions } from './fields.js'

/** What TLS needs of the extension's context. */
export interface TlsHost {
  readonly dir: string
  readonly stateDir: string
  readonly log: Logger
  readonly clock: Clock
}

/** PEM texts. */
export interface ServerPem {
  readonly cert: string
  readonly key: string
  readonly clientCa?: string
  readonly crl?: string
}

/** The identity of a listener. */
export interface ServerTls {
  /** As last read. */
  readonly pem: ServerPem
  /** For `tls.createServer`, `http2.createSecureServer` and the like, ALPN aside. */
  readonly options: TlsOptions
  /** What clients pin, if the certificate was made here. See `Listener.join`. */
  readonly join: Readonly<Record<string, string>> | undefined
  /** Called when the files changed and are good: put `context` in place with `server.setSecureContext(context)`. */
  onChange: ((context: SecureContextOptions, pem: ServerPem) => void) | undefined
  /** Looks at the files no more. */
  close(): void
}

/** Reads the files, or makes and keeps a self-signed certificate, and watches over them. Rejects with `tls.files`. */
export declare const openServerTls: (options: ServerTlsOptions, host: TlsHost) => Promise<ServerTls>
