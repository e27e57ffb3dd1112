import type { RawReader, RawStream, Verdict } from '@rystra/bytes'
import { RystraError, type Side } from '@rystra/model'
import { errorFrom, FIRST_FRAME_LIMIT, FrameDecoder, type Message } from '@rystra/protocol'

/** What a {@link ChannelStream} tells the session. */
export interface ChannelStreamEvents {
  /** The other end takes the channel; `flow` says that datagrams go beside it. */
  onAccepted(flow: boolean): void
  /** Called once, before the user of the stream hears of it. */
  onOver(error: Error | undefined): void
}

/**
 * The stream of a channel: counts what passes, and at the end that opened it takes off the answer that comes before the
 * payload. An Error there becomes the error of `onClose`.
 */
export class ChannelStream implements RawStream, RawReader {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  sent = 0
  received = 0
  readonly #raw: RawStream
  readonly #events: ChannelStreamEvents
  readonly #remote: Side
  #head: FrameDecoder | undefined
  #reader: RawReader | undefined
  #failure: Error | undefined
  #closed = false

  /** @param remote the other end, when it has to answer first */
  constructor(raw: RawStream, events: ChannelStreamEvents, remote: Side, answered: boolean) {
    this.#raw = raw
    this.#events = events
    this.#remote = remote
    raw.onWritable = () => this.onWritable?.()
    raw.onClose = (error) => this.#over(error)
    if (raw.closed) queueMicrotask(() => this.#over(new RystraError('stream.reset')))
    if (answered) return
    this.#head = new FrameDecoder(FIRST_FRAME_LIMIT)
    raw.read(this)
  }

  get closed(): boolean {
    return this.#closed
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    if (this.#head !== undefined) return this.#answer(this.#head, buffer, start, end)
    this.received += end - start
    return this.#reader?.onBytes(buffer, start, end, shared) ?? true
  }

  onEnd(): void {
    if (this.#head === undefined) this.#reader?.onEnd()
    else this.fail(new RystraError('stream.reset', { detail: 'it ended before the channel was accepted' }))
  }

  #answer(head: FrameDecoder, buffer: Buffer, start: number, end: number): Verdict {
    let message: Message | undefined
    try {
      head.push(buffer, start, end)
      message = head.next()
    } catch (error) {
      this.fail(error as Error)
      return true
    }
    if (message === undefined) return true
    const rest = head.rest()
    this.#head = undefined
    if (message.type === 'StreamReady') this.#events.onAccepted(message.flow === true)
    else if (message.type === 'Error') this.fail(errorFrom(message, this.#remote))
    else this.fail(new RystraError('protocol.unexpected', { side: this.#remote, detail: message.type }))
    if (this.#closed) return true
    if (this.#reader !== undefined) {
      if (rest.length === 0) return true
      const bytes = Buffer.from(rest)
      return this.onBytes(bytes, 0, bytes.length, true)
    }
    if (rest.length > 0) this.#raw.unread(Buffer.from(rest))
    this.#raw.pause()
    return false
  }

  read(reader: RawReader): void {
    this.#reader = reader
    if (this.#head === undefined) this.#raw.read(this)
  }

  unread(bytes: Buffer): void {
    this.received -= bytes.length
    this.#raw.unread(bytes)
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    this.sent += end - start
    return this.#raw.write(buffer, start, end, shared)
  }

  end(): void {
    this.#raw.end()
  }

  resume(): void {
    this.#raw.resume()
  }

  pause(): void {
    this.#raw.pause()
  }

  reset(): void {
    this.#raw.reset()
  }

  /** Resets it, with the error for this end. */
  fail(error: Error): void {
    this.#failure ??= error
    this.#raw.reset()
    this.#over(error)
  }

  #over(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    const reason = this.#failure ?? error
    this.#events.onOver(reason)
    this.onClose?.(reason)
  }
}
