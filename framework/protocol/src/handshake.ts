import { RystraError } from '@rystra/model'
import { FrameDecoder } from './decoder.js'
import { MAX_IGNORED_IN_HANDSHAKE } from './limits.js'
import type { Message } from './messages.js'

/** What both halves of the handshake have in common: bytes go in, and it is over after anything thrown. */
export abstract class Handshake<State extends string, Request> {
  protected readonly decoder = new FrameDecoder()
  protected state: State | 'done' | 'failed'
  protected digest: Uint8Array | undefined

  protected constructor(first: State) {
    this.state = first
  }

  /** Whether it is over, well or badly. */
  get over(): boolean {
    return this.state === 'done' || this.state === 'failed'
  }

  /** See {@link transcriptOf}. Once the server has answered the Hello. */
  get transcript(): Uint8Array | undefined {
    return this.digest
  }

  /**
   * Takes `buffer[start, end)`, which may be reused afterwards. `undefined`: more bytes are needed.
   * Throws `protocol.*`, and at a client the error that the server sent; then it is over.
   */
  push(buffer: Uint8Array, start = 0, end: number = buffer.length): Request | undefined {
    if (start === end) return undefined
    try {
      return this.advance(buffer, start, end)
    } catch (error) {
      this.state = 'failed'
      throw error
    }
  }

  /** Bytes behind the last frame of the handshake, in memory of their own. Once it is over. */
  rest(): Uint8Array {
    return this.decoder.rest()
  }

  protected abstract advance(buffer: Uint8Array, start: number, end: number): Request | undefined

  protected abstract receive(message: Message): Request

  /** Decodes what came, and hands on a message that is whole. */
  protected take(buffer: Uint8Array, start: number, end: number): Request | undefined {
    this.decoder.push(buffer, start, end)
    const message = this.next()
    return message === undefined ? undefined : this.receive(message)
  }

  protected next(): Message | undefined {
    const message = this.decoder.next()
    if (this.decoder.ignored > MAX_IGNORED_IN_HANDSHAKE) {
      throw new RystraError('protocol.unexpected', { detail: 'too many frames of unknown types' })
    }
    return message
  }

  /** Nothing may come before this side has answered. */
  protected nothingMore(): void {
    const early = this.next()
    if (early !== undefined) throw new RystraError('protocol.unexpected', { detail: early.type })
  }

  protected misuse(call: string): RystraError {
    return new RystraError('internal', { detail: `${call}() in the state ${this.state}` })
  }
}
