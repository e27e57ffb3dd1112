import { cutOff } from '@rystra/bytes'
import type { Clock } from '@rystra/plugin'
import { Duplex } from 'node:stream'
import { resetError } from '../pair.js'
import type { Fault } from './fault.js'
import { Queue } from './queue.js'

/** What goes wrong, in which direction, first to last. */
export interface Faults {
  /** With what is written to the faulty stream. */
  readonly out?: readonly Fault[]
  /** With what is read from it. */
  readonly in?: readonly Fault[]
  /** @default the time of the machine */
  readonly clock?: Clock
}

type Done = (error?: Error | null) => void

const realClock: Clock = {
  now: Date.now,
  after(ms, fn) {
    const timer = setTimeout(fn, ms).unref()
    return () => clearTimeout(timer)
  }
}

const through = (queue: Queue, faults: readonly Fault[], host: Parameters<Fault>[1]): AsyncIterable<Buffer> =>
  faults.reduce<AsyncIterable<Buffer>>((bytes, fault) => fault(bytes, host), queue)

class FaultyDuplex extends Duplex {
  readonly #inner: Duplex
  readonly #writes = new Queue()
  #outDone: Done | undefined
  #outOver = false
  #more: (() => void) | undefined

  constructor(inner: Duplex, faults: Faults) {
    super({ allowHalfOpen: true, highWaterMark: inner.readableHighWaterMark })
    this.#inner = inner
    const host = { clock: faults.clock ?? realClock, cut: () => this.#cut() }
    inner.on('error', (error: Error) => this.destroy(error))
    inner.on('close', () => {
      if (!inner.readableEnded || !inner.writableFinished) this.destroy(this.errored ?? resetError())
    })
    void this.#sendAll(through(this.#writes, faults.out ?? [], host))
    void this.#readAll(faults.in ?? [], host)
  }

  override _read(): void {
    const more = this.#more
    this.#more = undefined
    more?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#writes.put(Buffer.from(chunk), done)
  }

  override _final(done: Done): void {
    this.#writes.end()
    if (this.#outOver) done()
    else this.#outDone = done
  }

  override _destroy(error: Error | null, done: Done): void {
    // a clean end was handed on already: then there is nothing to take back
    if (error !== null || !this.#inner.writableFinished || !this.#inner.readableEnded)
      cutOff(this.#inner, error ?? undefined)
    this.#writes.end()
    this._read()
    done(error)
  }

  #cut(): void {
    this.#inner.destroy(resetError())
    this.destroy(resetError())
  }

  async #sendAll(bytes: AsyncIterable<Buffer>): Promise<void> {
    for await (const chunk of bytes) {
      if (this.destroyed) return
      if (!this.#inner.write(chunk)) await this.#drained()
    }
    if (this.destroyed) return
    this.#inner.end(() => {
      this.#outOver = true
      this.#outDone?.()
    })
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#inner.removeListener('drain', done)
        this.#inner.removeListener('close', done)
        resolve()
      }
      this.#inner.on('drain', done)
      this.#inner.on('close', done)
    })
  }

  async #readAll(faults: readonly Fault[], host: Parameters<Fault>[1]): Promise<void> {
    const queue = new Queue()
    this.#inner.on('data', (chunk: Buffer) => {
      this.#inner.pause()
      queue.put(chunk, () => this.#inner.resume())
    })
    this.#inner.on('end', () => queue.end())
    for await (const chunk of through(queue, faults, host)) {
      if (this.destroyed) return
      if (this.push(chunk)) continue
      await new Promise<void>((resolve) => {
        this.#more = resolve
      })
    }
    if (!this.destroyed) this.push(null)
  }
}

/**
 * A stream on which things go wrong. It takes the given one over; the other end of that one sees the faults of `out`, the
 * reader of this one those of `in`. Resets pass at once, in both directions.
 */
export const faulty = (stream: Duplex, faults: Faults): Duplex => new FaultyDuplex(stream, faults)
