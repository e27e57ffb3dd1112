import { Duplex } from 'node:stream'

/** How a pair of joined streams behaves. */
export interface PairOptions {
  /** Bytes that each end queues in each direction before it holds the writer back. @default 65536, as Node's sockets */
  readonly highWaterMark?: number
}

/** What the other side sees of a reset. */
export const resetError = (): NodeJS.ErrnoException =>
  Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'read' })

type Done = (error?: Error | null) => void

/** One end of a pair. What is written here is read there, and nothing is handed over in the turn it was written in. */
class PairedDuplex extends Duplex {
  #other!: PairedDuplex
  /** The other end's write that waits until this end reads. */
  #heldBack: Done | undefined
  #endCame = false

  static join(one: PairedDuplex, other: PairedDuplex): void {
    one.#other = other
    other.#other = one
  }

  override _read(): void {
    const done = this.#heldBack
    this.#heldBack = undefined
    done?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    // a copy, as a socket makes one: the writer may use its memory again
    const copy = Buffer.from(chunk)
    setImmediate(() => this.#other.#arrive(copy, done))
  }

  override _final(done: Done): void {
    setImmediate(() => {
      this.#other.#endArrives()
      done()
    })
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#heldBack?.(resetError())
    this.#heldBack = undefined
    const clean = error === null && this.writableFinished && this.#endCame
    const other = this.#other
    if (!clean) setImmediate(() => other.destroy(resetError()))
    done(error)
  }

  #arrive(chunk: Buffer, done: Done): void {
    if (this.destroyed) done(resetError())
    else if (this.push(chunk)) done()
    else this.#heldBack = done
  }

  #endArrives(): void {
    this.#endCame = true
    if (!this.destroyed) this.push(null)
  }
}

/**
 * Two streams that are joined: what one writes the other reads. They behave as two connected sockets do: half-close
 * travels, a `destroy` before both ends are done is a reset that the other side sees as `ECONNRESET`, and a writer is
 * held back by a reader that does not read.
 */
export const duplexPair = ({ highWaterMark = 65_536 }: PairOptions = {}): [Duplex, Duplex] => {
  const make = (): PairedDuplex => new PairedDuplex({ allowHalfOpen: true, highWaterMark })
  const [one, other] = [make(), make()]
  PairedDuplex.join(one, other)
  return [one, other]
}
