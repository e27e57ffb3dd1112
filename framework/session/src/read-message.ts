import type { RawReader, RawStream } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import { FIRST_FRAME_LIMIT, FrameDecoder, type Message } from '@rystra/protocol'

/** What comes of {@link readMessage}. Exactly one is called, once. */
export interface MessageTaken {
  onMessage(message: Message): void
  onError(error: RystraError | Error): void
}

/**
 * Reads one message from the head of a data stream and leaves the rest in it, paused, for the next reader. Callbacks
 * instead of a promise: each visitor's connection comes through here twice.
 */
class MessageReader implements RawReader {
  readonly #raw: RawStream
  readonly #taken: MessageTaken
  readonly #decoder = new FrameDecoder(FIRST_FRAME_LIMIT)
  #done = false

  constructor(raw: RawStream, taken: MessageTaken) {
    this.#raw = raw
    this.#taken = taken
    raw.onClose = (error) => this.#fail(error ?? new RystraError('stream.reset'))
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
      this.#raw.onClose = undefined
      // In a turn of its own: whoever takes the message hands the stream to its next reader, which must not happen in here.
      queueMicrotask(() => this.#taken.onMessage(message))
    } catch (error) {
      this.#fail(error as Error)
    }
    return false
  }

  onEnd(): void {
    this.#fail(new RystraError('stream.reset', { detail: 'it ended before its head was complete' }))
  }

  #fail(error: Error): void {
    if (this.#done) return
    this.#done = true
    this.#taken.onError(error)
  }
}

/** See {@link MessageTaken}. The reader that follows must be given to the stream by `read`. */
export const readMessage = (raw: RawStream, taken: MessageTaken): void => {
  if (raw.closed) queueMicrotask(() => taken.onError(new RystraError('stream.reset', { detail: 'it is closed' })))
  else raw.read(new MessageReader(raw, taken))
}
