import type { Logger, RystraError, Side } from '@rystra/plugin'
import type { HostPort } from './binding.js'
import type { QuicLink } from './link.js'
import type { QuicOptions } from './options.js'

/** What a link stands on: a socket, and who minds it. */
export interface LinkHost {
  readonly side: Side
  readonly options: QuicOptions
  readonly log: Logger
  /** The kernel takes no packets now; {@link wake} is called when it does again. */
  readonly blocked: boolean
  wake(link: QuicLink): void
  slot(): Buffer
  send(slot: Buffer, length: number, to: HostPort, watch: boolean): void
  /** The handshake is done: throws what is wrong with the certificate of the other side, `tls.*`. */
  verify(link: QuicLink): Uint8Array | undefined
  /** Whether the link may be handed out before the handshake is done. */
  readonly early: boolean
  /** May be handed out: once. */
  ready(link: QuicLink): void
  /** The handshake is done, and all is well. */
  confirmed(link: QuicLink): void
  /** Sends a packet that is none of QUIC's. */
  sendPlain(packet: Buffer, to: HostPort): void
  gone(link: QuicLink, error: RystraError | Error | undefined): void
}
