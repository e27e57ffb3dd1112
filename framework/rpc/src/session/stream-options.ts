import type { Metadata } from '../frame/metadata.js'

/** How a stream is opened. */
export interface StreamOptions {
  /**
   * Messages may be lost, and come in any order: datagrams where the session has them, otherwise a stream that keeps the
   * newest, see `stream.mode`. @default false
   */
  readonly unreliable?: boolean
  /** Cuts unreliable messages that are larger than a datagram. Without it they are refused. @default false */
  readonly fragment?: boolean
  readonly metadata?: Metadata
}

/** How the messages of a stream travel. */
export type StreamMode = 'opening' | 'reliable' | 'datagrams' | 'newest'
