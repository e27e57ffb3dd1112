import type { Logger, RystraError, Side, StreamLink } from '@rystra/plugin'
import type { HostPort, QuicheConnection } from './binding.js'
import type { QuicOptions } from './options.js'
import type { PacketSink } from './outbox.js'
import type { Turning } from './turns.js'

/** A link as its host sees it. */
export interface HostedLink extends StreamLink, Turning {
  readonly connection: QuicheConnection
  /** The peer, for errors. */
  readonly where: string
  /** Whether it was handed to the server or client. */
  readonly handedOut: boolean
  /** Closes the connection with an application code. */
  leave(code: number, error: Error | undefined): void
}

/** What a link runs on: a socket and its owner. */
export interface LinkHost extends PacketSink {
  readonly side: Side
  readonly options: QuicOptions
  readonly log: Logger
  wake(link: HostedLink): void
  /** Verifies the peer's certificate after the handshake. Throws `tls.*`. */
  verify(link: HostedLink): Uint8Array | undefined
  /** Whether the link may be handed out before the handshake is complete. */
  readonly early: boolean
  /** The link may be handed out. Called once. */
  ready(link: HostedLink): void
  /** The handshake is complete and verified. */
  confirmed(link: HostedLink): void
  /** Sends a packet outside QUIC. */
  sendPlain(packet: Buffer, to: HostPort): void
  gone(link: HostedLink, error: RystraError | Error | undefined): void
}
