import { Duplex } from 'node:stream'
import { credit, data, end, largestBody } from './frame.ts'

type Done = (error?: Error | null) => void

/** Bytes that a stream may send before its reader has taken any: what a peer that does not read can make this end hold. */
const window = 131_072

/** The error of a stream that was cut off. */
export const connectionReset = (by: string): Error => Object.assign(new Error(`reset by ${by}`), { code: 'ECONNRESET' })

/** The link that a stream is on. */
export interface FrameHost {
  send(type: number, id: number, body?: Uint8Array, done?: Done): void
  resetStream(id: number): void
  forget(id: number): void
}

/** One of the streams of a link. */
export class FrameStream extends Duplex {
  readonly #link: FrameHost
  readonly id: number
  #credit = window
  /** Bytes that came and were not given back as credit yet. */
  #owed = 0
  #blocked: { chunk: Buffer; done: Done } | undefined
  #ended = false
  #endSent = false

  constructor(link: FrameHost, id: number) {
    super({ allowHalfOpen: true })
    this.#link = link
    this.id = id
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const size = Math.min(chunk.length, this.#credit, largestBody)
    if (size === 0 && chunk.length > 0) {
      this.#blocked = { chunk, done }
      return
    }
    this.#credit -= size
    const rest = chunk.subarray(size)
    this.#link.send(data, this.id, chunk.subarray(0, size), (error) =>
      error || rest.length === 0 ? done(error) : this._write(rest, 'binary', done)
    )
  }

  override _read(): void {
    if (this.#owed === 0 || this.#ended) return
    const body = Buffer.alloc(4)
    body.writeUInt32BE(this.#owed)
    this.#owed = 0
    this.#link.send(credit, this.id, body)
  }

  override _final(done: Done): void {
    this.#endSent = true
    this.#link.send(end, this.id)
    if (this.#ended) this.#link.forget(this.id)
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    if (!(this.#ended && this.#endSent) || error !== null) this.#link.resetStream(this.id)
    this.#link.forget(this.id)
    this.#blocked?.done(error ?? connectionReset('this end'))
    done(error)
  }

  /** Bytes came. `false` when the other end sent more than it may: more than a window since the last credit. */
  onBytes(bytes: Buffer): boolean {
    this.#owed += bytes.length
    if (this.#owed > window) return false
    this.push(bytes)
    return true
  }

  onCredit(bytes: number): void {
    this.#credit += bytes
    const blocked = this.#blocked
    this.#blocked = undefined
    if (blocked !== undefined) this._write(blocked.chunk, 'binary', blocked.done)
  }

  onEnd(): void {
    this.#ended = true
    this.push(null)
    if (this.#endSent) this.#link.forget(this.id)
  }
}
