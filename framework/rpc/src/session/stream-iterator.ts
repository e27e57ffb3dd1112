import { end, type StreamInbox } from './stream-inbox.js'

/**
 * The messages of a stream for `for await`. A class, since an async generator takes three promises more for each message, and two closures
 * more are held while it waits.
 */
export class StreamIterator implements AsyncIterator<unknown, undefined> {
  readonly #inbox: StreamInbox
  readonly #stream: { left(): void }

  /** @param stream is told when its reader leaves early */
  constructor(inbox: StreamInbox, stream: { left(): void }) {
    this.#inbox = inbox
    this.#stream = stream
  }

  next(): Promise<IteratorResult<unknown, undefined>> {
    return this.#inbox.next()
  }

  return(): Promise<IteratorResult<unknown, undefined>> {
    this.#stream.left()
    return Promise.resolve(end)
  }
}
