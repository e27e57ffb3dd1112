import { Duplex } from 'node:stream'

/** How a {@link Bridge} is broken. */
export interface BridgeFlaws {
  /** A reset looks like an end to the other side. */
  readonly endForReset?: boolean
  /** Takes whatever it is given, however slow the other side. */
  readonly greedy?: boolean
}

/** A stream on top of another one, with the mistakes that are made in writing one. */
export class Bridge extends Duplex {
  constructor(
    private readonly inner: Duplex,
    private readonly flaws: BridgeFlaws
  ) {
    super({ allowHalfOpen: true })
    inner.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) inner.pause()
    })
    inner.on('end', () => this.push(null))
    inner.on('error', (error: Error) => this.destroy(error))
  }

  override _read(): void {
    this.inner.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.flaws.greedy !== true) this.inner.write(chunk, done)
    else {
      this.inner.write(chunk)
      done()
    }
  }

  override _final(done: () => void): void {
    this.inner.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (this.flaws.endForReset === true && error !== null) this.inner.end()
    else this.inner.destroy(error ?? undefined)
    done(error)
  }
}
