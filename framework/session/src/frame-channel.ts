import { RystraError, toRystraError } from '@rystra/model'
import { encode, FrameDecoder, type Message, SESSION_FRAME_LIMIT } from '@rystra/protocol'
import type { Duplex } from 'node:stream'

/** Bytes that may wait for a peer that does not read its control stream: hundreds of messages. More ends the session. */
const BACKLOG_LIMIT = 4 * 1024 * 1024

/** What happens on a {@link FrameChannel}. */
export interface FrameChannelEvents {
  /** `bytes`: what it took on the wire. */
  onMessage(message: Message, bytes: number): void
  /** Called once. `error` is absent when the other side ended it cleanly. */
  onClose(error?: RystraError): void
}

/** Messages both ways over a `Duplex`: the control stream of a session. */
export class FrameChannel {
  readonly #stream: Duplex
  readonly #decoder = new FrameDecoder(SESSION_FRAME_LIMIT)
  readonly #events: FrameChannelEvents
  #ended = false
  #closed = false

  constructor(stream: Duplex, events: FrameChannelEvents) {
    this.#stream = stream
    this.#events = events
    stream.on('data', (chunk: Buffer) => this.#take(chunk))
    stream.on('end', () => this.#close())
    stream.on('error', (error: Error) => this.#close(new RystraError('session.lost', { cause: error })))
    stream.on('close', () => this.#close(new RystraError('session.lost')))
    stream.resume()
  }

  #take(chunk: Buffer): void {
    if (this.#closed || this.#ended) return
    try {
      this.#decoder.push(chunk)
      for (
        let message = this.#decoder.next();
        message !== undefined && !this.#closed && !this.#ended;
        message = this.#decoder.next()
      ) {
        this.#events.onMessage(message, this.#decoder.frame.length)
      }
    } catch (error) {
      this.#close(toRystraError(error, 'internal'))
    }
  }

  /** Sends a message; after the end, does nothing. Throws what encoding throws. */
  send(message: Message): void {
    if (!this.#closed && !this.#ended) this.sendFrames(encode(message))
  }

  /** Sends messages that are encoded already. */
  sendFrames(frames: Uint8Array): void {
    if (this.#closed || this.#ended) return
    this.#stream.write(frames)
    if (this.#stream.writableLength > BACKLOG_LIMIT) {
      this.#close(new RystraError('session.lost', { detail: 'the other side does not read its control stream' }))
    }
  }

  /** Sends what is queued, then ends. Messages of the other side are ignored from now on; its end is told. */
  end(): void {
    this.#ended = true
    if (!this.#stream.destroyed) this.#stream.end()
  }

  #close(error?: RystraError): void {
    if (this.#closed) return
    this.#closed = true
    this.#events.onClose(error)
  }
}
