import type { RawStream } from './raw.js'

/** What a step writes to. */
export type Sink = Pick<RawStream, 'write' | 'end'>

/** Chunks up to this size are copied behind the head, so that both leave in one write. */
const SMALL = 8 * 1024

const nothing = Buffer.alloc(0)

/** Stands in front of a sink until the head is sent. */
export class Headed implements Sink {
  #head: Buffer
  readonly #to: RawStream
  readonly #sent: () => void
  #timer: NodeJS.Timeout | undefined
  #turn: NodeJS.Immediate | undefined

  constructor(head: Buffer, wait: number, to: RawStream, sent: () => void) {
    this.#head = head
    this.#to = to
    this.#sent = sent
    if (wait > 0) this.#timer = setTimeout(() => this.flush(), wait)
    // One turn for what has arrived already, which is read in the next.
    else
      this.#turn = setImmediate(() => {
        this.#turn = setImmediate(() => this.flush())
      })
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    const head = this.#take()
    if (end - start > SMALL) {
      this.#to.write(head, 0, head.length, false)
      return this.#to.write(buffer, start, end, shared)
    }
    const both = Buffer.allocUnsafe(head.length + end - start)
    head.copy(both)
    buffer.copy(both, head.length, start, end)
    return this.#to.write(both, 0, both.length, false)
  }

  end(): void {
    this.flush()
    this.#to.end()
  }

  /** The stream is over: the head cannot be sent any more. */
  stop(): void {
    clearTimeout(this.#timer)
    if (this.#turn !== undefined) clearImmediate(this.#turn)
    // An idle stream keeps nothing of its head.
    this.#timer = undefined
    this.#turn = undefined
    this.#head = nothing
  }

  #take(): Buffer {
    const head = this.#head
    this.stop()
    this.#sent()
    return head
  }

  /** Sends it now. */
  flush(): void {
    const head = this.#take()
    this.#to.write(head, 0, head.length, false)
  }
}
