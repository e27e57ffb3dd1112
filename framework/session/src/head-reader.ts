import type { RawReader, Verdict } from '@rystra/bytes'
import { RystraError } from '@rystra/model'
import { errorFrom, FIRST_FRAME_LIMIT, FrameDecoder } from '@rystra/protocol'

/** What the client says of a stream before the first byte of the service. Exactly one is called, once. */
export interface HeadTaken {
  /** @param flow whether the datagrams beside the stream that were asked for are there */
  onReady(flow: boolean): void
  /** The stream has to be reset. */
  onRefused(error: RystraError | Error): void
}

/**
 * Takes the client's answer, StreamReady or Error, off the head of a data stream and passes on the rest. So the server
 * can relay at once, and a visitor who speaks first does not wait for the answer.
 */
export class HeadReader implements RawReader {
  readonly #next: RawReader
  readonly #taken: HeadTaken
  #decoder: FrameDecoder | undefined = new FrameDecoder(FIRST_FRAME_LIMIT)
  #refused = false

  constructor(next: RawReader, taken: HeadTaken) {
    this.#next = next
    this.#taken = taken
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    const decoder = this.#decoder
    if (this.#refused) return true
    if (decoder === undefined) return this.#next.onBytes(buffer, start, end, shared)
    let flow: boolean
    try {
      decoder.push(buffer, start, end)
      const message = decoder.next()
      if (message === undefined) return true
      if (message.type === 'Error') throw errorFrom(message, 'client')
      if (message.type !== 'StreamReady') throw new RystraError('protocol.unexpected', { detail: message.type })
      flow = message.flow === true
    } catch (error) {
      this.#refuse(error as Error)
      return true
    }
    this.#decoder = undefined
    const rest = decoder.rest()
    this.#taken.onReady(flow)
    if (rest.length === 0) return true
    // Memory of its own: whoever keeps it keeps nothing of the source's.
    return this.#next.onBytes(Buffer.from(rest.buffer, rest.byteOffset, rest.length), 0, rest.length, false) !== false
  }

  onEnd(): void {
    if (this.#refused) return
    if (this.#decoder === undefined) this.#next.onEnd()
    else this.#refuse(new RystraError('stream.reset', { side: 'client', detail: 'it ended before it was ready' }))
  }

  /** Nothing of what follows is for the visitor. */
  #refuse(error: Error): void {
    this.#refused = true
    this.#decoder = undefined
    this.#taken.onRefused(error)
  }
}
