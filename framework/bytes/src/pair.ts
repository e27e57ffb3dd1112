import { SocketFace } from './socket-face.js'

type Done = (error?: Error | null) => void

/** What the other side sees of a reset. */
export const resetError = (): NodeJS.ErrnoException =>
  Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', errno: -104, syscall: 'read' })

/** How an end of a pair behaves. */
export interface PairedOptions {
  /** Bytes that it queues in each direction before it holds the writer back. @default 65536, as Node's sockets */
  readonly highWaterMark?: number
  /** When what is written arrives at the other end. @default process.nextTick */
  readonly later?: (arrive: () => void) => void
}

/** One end of a {@link duplexPair}. */
export class PairedDuplex extends SocketFace {
  readonly #later: (arrive: () => void) => void
  #other!: PairedDuplex
  /** The other end's write that waits until this end reads. */
  #heldBack: Done | undefined
  #endCame = false

  constructor({ highWaterMark = 65_536, later = process.nextTick }: PairedOptions = {}) {
    super({ allowHalfOpen: true, highWaterMark })
    this.#later = later
  }

  /** Joins two ends. */
  static join<One extends PairedDuplex, Other extends PairedDuplex>(one: One, other: Other): [One, Other] {
    one.#other = other
    other.#other = one
    return [one, other]
  }

  override _read(): void {
    const done = this.#heldBack
    this.#heldBack = undefined
    done?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.wrote()
    // A copy, as a socket makes one: the writer may use its memory again.
    const copy = Buffer.from(chunk)
    this.#later(() => this.#other.#arrive(copy, done))
  }

  override _final(done: Done): void {
    this.#later(() => {
      this.#other.#endArrives()
      done()
    })
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#heldBack?.(resetError())
    this.#heldBack = undefined
    const clean = error === null && this.writableFinished && this.#endCame
    const other = this.#other
    if (!clean) this.#later(() => other.destroy(resetError()))
    super._destroy(error, done)
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

/** Joins two ends whose errors may be left alone, as those of a stream that others look after. */
export const joinQuietly = <One extends PairedDuplex, Other extends PairedDuplex>(
  one: One,
  other: Other
): [One, Other] => {
  for (const end of [one, other]) end.on('error', () => {})
  return PairedDuplex.join(one, other)
}

/**
 * Two streams that are joined: what one writes the other reads. They behave as two connected sockets do: half-close
 * travels, a writer is held back by a reader that does not read, and a `destroy` before both ends are done is a reset,
 * which the other side sees as `ECONNRESET`. (That of `node:stream` tells the other side nothing in Node 20.)
 */
export const duplexPair = (): [PairedDuplex, PairedDuplex] => joinQuietly(new PairedDuplex(), new PairedDuplex())
