import type { Logger, Side } from '@rystra/model'
import type { ByteLink, StreamLink } from './transport.js'

/** More links of the same session, for a muxer that needs them. */
export interface DataLinks {
  /**
   * Client: dials the server once more and says which session the link belongs to. `opens`: the client is about to open
   * a stream on it; otherwise the server may, when it needs one.
   */
  dial(signal: AbortSignal, opens?: boolean): Promise<ByteLink>
  /** Server: called for each link that the client dialed for this session. */
  onLink: ((link: ByteLink, opens: boolean) => void) | undefined
  /** Server: asks the client, on the control stream, to dial `count` more. */
  request(count: number): void
  /** Client: called when the server asks for more. */
  onRequest: ((count: number) => void) | undefined
}

/** What the session gives a muxer. */
export interface MuxHost {
  readonly log: Logger
  readonly links: DataLinks
}

/** Makes streams out of one link, or of several. `registries.muxers` */
export interface Muxer {
  /** Crosses the wire: `yamux`, `direct`. */
  readonly name: string
  /**
   * Takes over an authenticated link. Both ends call it after the same byte of the link; bytes that have arrived
   * already are still in `link.duplex`.
   */
  wrap(link: ByteLink, side: Side, host: MuxHost): StreamLink
}
