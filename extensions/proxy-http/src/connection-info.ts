import type { VisitorInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'

/** How a visitor is connected. */
export interface ConnectionInfo {
  readonly visitor: VisitorInfo
  readonly secure: boolean
  /** The name of the TLS handshake (SNI). */
  readonly serverName: string | undefined
}

/** The protocol that a visitor asks to change to: by `Upgrade` of HTTP/1.1, or by CONNECT of HTTP/2, RFC 8441. */
export interface Upgrade {
  readonly protocol: string
  readonly socket: Duplex
  /** Bytes of the new protocol that came with the request. */
  readonly head: Buffer
}

/** What is known of a request beside its head. */
export interface ExchangeOptions {
  readonly connection: ConnectionInfo
  /** The visitor waits for a 100 before it sends the body. */
  readonly expectsContinue?: boolean
  readonly upgrade?: Upgrade
}
