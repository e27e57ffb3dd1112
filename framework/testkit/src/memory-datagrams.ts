import type { DatagramChannel } from '@rystra/plugin'
import { Random } from './random.js'

/** What becomes of messages beside the streams. */
export interface MemoryDatagramOptions {
  /** Bytes of the largest message. @default 1200, what fits into a packet anywhere */
  readonly maxSize?: number
  /** Messages that may be on their way in each direction; `send` drops what is over. @default 256 */
  readonly queue?: number
  /** Of a thousand messages so many are lost. @default 0 */
  readonly loss?: number
  /** Whether messages of one turn overtake each other. @default false */
  readonly shuffle?: boolean
  /** The same seed loses the same messages. @default 1 */
  readonly seed?: number
}

/** One end of a {@link joinDatagrams}. */
export class MemoryDatagrams implements DatagramChannel {
  onMessage: ((message: Uint8Array) => void) | undefined
  readonly maxSize: number
  readonly #options: MemoryDatagramOptions
  readonly #random: Random
  #other: MemoryDatagrams | undefined
  #onTheWay: Buffer[] = []

  private constructor(options: MemoryDatagramOptions, seed: number) {
    this.#options = options
    this.maxSize = options.maxSize ?? 1_200
    this.#random = new Random(seed)
  }

  static join(options: MemoryDatagramOptions): [MemoryDatagrams, MemoryDatagrams] {
    const { seed = 1 } = options
    const [one, other] = [new MemoryDatagrams(options, seed), new MemoryDatagrams(options, seed + 1)]
    one.#other = other
    other.#other = one
    return [one, other]
  }

  send(message: Uint8Array): boolean {
    const { queue = 256, loss = 0 } = this.#options
    if (this.#other === undefined || message.length > this.maxSize || this.#onTheWay.length >= queue) return false
    // what the network loses, who sends does not know of
    if (loss > 0 && this.#random.below(1_000) < loss) return true
    if (this.#onTheWay.length === 0) setImmediate(() => this.#arrive())
    this.#onTheWay.push(Buffer.from(message))
    return true
  }

  /** Nothing is sent any more, and nothing arrives. */
  close(): void {
    this.#other = undefined
    this.onMessage = undefined
    this.#onTheWay = []
  }

  #arrive(): void {
    const messages = this.#onTheWay
    this.#onTheWay = []
    while (messages.length > 0) {
      const at = this.#options.shuffle === true ? this.#random.below(messages.length) : 0
      for (const message of messages.splice(at, 1)) this.#other?.onMessage?.(message)
    }
  }
}

/** Two joined ends of a channel for messages. */
export const joinDatagrams = (options: MemoryDatagramOptions = {}): [MemoryDatagrams, MemoryDatagrams] =>
  MemoryDatagrams.join(options)
