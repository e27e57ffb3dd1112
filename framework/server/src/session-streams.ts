import type { RawStream } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import { encode } from '@rystra/protocol'
import {
  openJoined,
  openStreamMessage,
  type OpenOptions,
  type OutgoingStream,
  type Session,
  type StreamHead,
  type StreamLifecycle
} from '@rystra/session'
import type { ServerState } from './state.js'

/** Opens the streams of visitors on a session, within its limit. */
export class SessionStreams {
  readonly #session: Session
  readonly #state: ServerState
  readonly #channels: { readonly size: number }
  /** Streams that are asked for and not open yet. */
  #opening = 0

  /** @param channels are not counted */
  constructor(session: Session, state: ServerState, channels: { readonly size: number }) {
    this.#session = session
    this.#state = state
    this.#channels = channels
  }

  get #full(): boolean {
    const { streams } = this.#session.link
    return streams - this.#channels.size + this.#opening >= this.#state.config.limits.streamsPerSession
  }

  /** See `StreamOwner.open`. */
  async open(head: StreamHead, options?: OpenOptions): Promise<OutgoingStream> {
    if (this.#full) {
      const detail = `client ${this.#session.info.client.id}`
      throw new RystraError('stream.limit', { side: 'server', detail })
    }
    this.#opening += 1
    try {
      return await this.#session.open((flow) => openStreamMessage(head, flow), options)
    } finally {
      this.#opening -= 1
    }
  }

  /** See `StreamOwner.openJoined`. */
  openJoined(stream: StreamLifecycle, head: StreamHead, visitor: RawStream): boolean {
    const open = this.#full ? undefined : this.#session.link.openJoined
    if (open === undefined) return false
    return openJoined(stream, visitor, Buffer.from(encode(openStreamMessage(head, undefined))), open, this.#state.clock)
  }
}
