import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

const reset = (): NodeJS.ErrnoException =>
  Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'read' })

/** One end of a {@link duplexPair}. */
export class PairedDuplex extends Duplex {
  #other!: PairedDuplex
  /** The other end's write that waits until this end reads. */
  #heldBack: Done | undefined
  #endCame = false

  constructor() {
    super({ allowHalfOpen: true, highWaterMark: 65_536 })
    // Whoever is given one may leave its errors alone, as those of a stream that others look after.
    this.on('error', () => {})
  }

  /** @internal */
  join(other: PairedDuplex): this {
    this.#other = other
    return this
  }

  override _read(): void {
    const done = this.#heldBack
    this.#heldBack = undefined
    done?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    // A copy, as a socket makes one: the writer may use its memory again.
    const copy = Buffer.from(chunk)
    process.nextTick(() => this.#other.#arrive(copy, done))
  }

  override _final(done: Done): void {
    process.nextTick(() => {
      this.#other.#endArrives()
      done()
    })
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#heldBack?.(reset())
    this.#heldBack = undefined
    const clean = error === null && this.writableFinished && this.#endCame
    const other = this.#other
    if (!clean) process.nextTick(() => other.destroy(reset()))
    done(error)
  }

  #arrive(chunk: Buffer, done: Done): void {
    if (this.destroyed) done(reset())
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
 * travels, a writer is held back by a reader that does not read, and a `destroy` before both ends are done is a reset,
 * which the other side sees as `ECONNRESET`. (That of `node:stream` tells the other side nothing in Node 20.)
 */
export const duplexPair = (): [PairedDuplex, PairedDuplex] => {
  const [one, other] = [new PairedDuplex(), new PairedDuplex()]
  return [one.join(other), other.join(one)]
}
