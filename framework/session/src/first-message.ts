import type { RawReader, RawStream } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import { FIRST_FRAME_LIMIT, FrameDecoder, type Message } from '@rystra/protocol'

/** What comes of the first message. Exactly one is called, once, outside of the stream's own calls. */
export interface FirstMessage {
  onMessage(message: Message): void
  onError(error: Error): void
}

/**
 * Reads one message from the head of a data stream and leaves the rest in it, paused, for the next reader, which must be
 * given to the stream by `read`. Callbacks instead of a promise: each visitor's connection comes through here twice.
 */
export class FirstMessageReader implements RawReader {
  readonly #raw: RawStream
  readonly #taken: FirstMessage
  readonly #decoder = new FrameDecoder(FIRST_FRAME_LIMIT)
  #done = false

  constructor(raw: RawStream, taken: FirstMessage) {
    this.#raw = raw
    this.#taken = taken
  }

  onBytes(buffer: Buffer, start: number, end: number): boolean {
    if (this.#done) {
      this.#raw.unread(Buffer.from(buffer.subarray(start, end)))
      return false
    }
    try {
      this.#decoder.push(buffer, start, end)
      const message = this.#decoder.next()
      if (message === undefined) return true
      const rest = this.#decoder.rest()
      if (rest.length > 0) this.#raw.unread(Buffer.from(rest.buffer, rest.byteOffset, rest.length))
      this.#done = true
      this.#raw.pause()
      // In a turn of its own: the stream gets its next reader then, which must not happen in here.
      queueMicrotask(() => this.#taken.onMessage(message))
    } catch (error) {
      this.fail(error as Error)
    }
    return false
  }

  onEnd(): void {
    this.fail(new RystraError('stream.reset', { detail: 'it ended before its head was complete' }))
  }

  /** There will be no message. */
  fail(error: Error): void {
    if (this.#done) return
    this.#done = true
    queueMicrotask(() => this.#taken.onError(error))
  }
}

/** Reads the first message of a stream that the other side has opened. */
export const readMessage = (raw: RawStream, taken: FirstMessage): void => {
  const reader = new FirstMessageReader(raw, taken)
  if (raw.closed) reader.fail(new RystraError('stream.reset', { detail: 'it is closed' }))
  else {
    raw.onClose = (error) => reader.fail(error ?? new RystraError('stream.reset'))
    raw.read(reader)
  }
}
