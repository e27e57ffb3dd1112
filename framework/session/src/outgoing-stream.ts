import { CountedStream, type RawReader, type RawStream } from '@rystra/bytes'
import { RystraError, type Side, toRystraError } from '@rystra/model'
import type { Clock } from '@rystra/plugin'
import { errorFrom, type Message } from '@rystra/protocol'
import type { CountedFlow } from './datagram-flows.js'
import { FirstMessageReader } from './first-message.js'

/** Milliseconds the other end has to reach the service: three tries of a service that does not answer, and some. */
export const READY_TIMEOUT_MS = 30_000

/** How a stream is opened. */
export interface OpenOptions {
  /** Gives up while the link makes room for it. */
  readonly signal?: AbortSignal | undefined
  /** Whether a flow of datagrams is wanted beside it. @default false */
  readonly datagrams?: boolean | undefined
  /** Milliseconds the other end has to reach the service. @default 30000 */
  readonly timeout?: number | undefined
}

/** What a stream that was just opened comes with. */
interface Opened {
  /** The end that answers. */
  readonly side: Side
  readonly head: Buffer
  readonly flow: CountedFlow | undefined
  readonly clock: Clock
  readonly timeout: number | undefined
}

/**
 * A data stream that this end has opened. What is written follows its head at once, see docs/adr/0010; what is read begins
 * behind the answer of the other end. A refusal resets it, and is the error of `onClose`.
 */
export class OutgoingStream extends CountedStream {
  /** Datagrams beside it; of use once the stream is ready and {@link hasDatagrams}. */
  readonly flow: CountedFlow | undefined
  /** Whether the other end has them too. */
  hasDatagrams = false
  /** Whether this end gave it up before there was an answer. */
  abandoned = false
  readonly #side: Side
  readonly #ready: Promise<void>
  #cancel: (() => void) | undefined
  #answer: 'awaited' | 'ready' | 'none' = 'awaited'
  #settle: { resolve(): void; reject(error: RystraError): void } | undefined

  constructor(inner: RawStream, { side, head, flow, clock, timeout = READY_TIMEOUT_MS }: Opened) {
    super(inner, { bytes: head })
    this.flow = flow
    this.#side = side
    this.#ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Not every caller waits for it.
    this.#ready.catch(() => {})
    this.#cancel = clock.after(timeout, () => this.#refused(new RystraError('stream.timeout', { side })))
    if (inner.closed) return
    inner.read(
      new FirstMessageReader(inner, {
        onMessage: (message) => this.#answered(message),
        onError: (error) => this.#refused(error)
      })
    )
  }

  /** Resolves when the other end has reached the service. Rejects with why it has not. */
  ready(): Promise<void> {
    return this.#ready
  }

  #answered(message: Message): void {
    if (this.#answer !== 'awaited') return
    const side = this.#side
    if (message.type !== 'StreamReady') {
      const unexpected = (): RystraError => new RystraError('protocol.unexpected', { side, detail: message.type })
      this.#refused(message.type === 'Error' ? errorFrom(message, side) : unexpected())
      return
    }
    this.#answer = 'ready'
    this.hasDatagrams = message.flow === true && this.flow !== undefined
    this.#settled()?.resolve()
    if (this.reader !== undefined) this.inner.read(this)
  }

  #refused(cause: Error): void {
    if (this.#answer !== 'awaited') return
    const error = toRystraError(cause, 'stream.reset', { side: this.#side })
    this.#end(error)
    this.fail(error)
  }

  #end(error: RystraError): void {
    if (this.#answer !== 'awaited') return
    this.#answer = 'none'
    this.#settled()?.reject(error)
  }

  /** What waits for the answer goes with it: a stream lasts longer. */
  #settled(): { resolve(): void; reject(error: RystraError): void } | undefined {
    const settle = this.#settle
    this.#cancel?.()
    this.#cancel = undefined
    this.#settle = undefined
    return settle
  }

  override read(reader: RawReader): void {
    if (this.#answer === 'ready') super.read(reader)
    else this.claim(reader)
  }

  /** The answer is read here. */
  override get offload(): RawStream['offload'] {
    return this.#answer === 'ready' ? super.offload : undefined
  }

  override reset(): void {
    if (this.#answer === 'awaited') {
      this.abandoned = true
      this.#end(new RystraError('stream.reset', { detail: 'given up before it was ready' }))
    }
    super.reset()
  }

  protected override over(error: Error | undefined): void {
    if (this.closed) return
    // An error costs more than the rest of an end.
    if (this.#answer === 'awaited') this.#end(toRystraError(error ?? new RystraError('stream.reset'), 'stream.reset'))
    this.flow?.close()
    super.over(error)
  }
}
