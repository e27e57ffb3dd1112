import type { Duplex } from 'node:stream'
import { Headed } from './headed.js'
import { resetError } from './pair.js'
import type { Detached, Offloaded, RawReader, RawStream, Verdict } from './raw.js'
import { RawFace } from './raw-face.js'

/** Sent in front of the first byte that is written. */
export interface Head {
  readonly bytes: Buffer
  /** Milliseconds it waits for the first byte to leave with it; 0 waits for one turn of the event loop. @default 0 */
  readonly wait?: number
}

/** A raw stream on top of another: counts what passes, and sends a head in front. It takes the other over. */
export class CountedStream implements RawStream, RawReader {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  /** Called once, before {@link onClose}, for the owner of the stream; its user has `onClose`. */
  onOver: ((error?: Error) => void) | undefined
  closed = false
  reader: RawReader | undefined
  protected readonly inner: RawStream
  #sink: Pick<RawStream, 'write' | 'end'>
  #head: Headed | undefined
  #face: RawFace | undefined
  #error: Error | undefined
  #written = 0
  #offloaded: Offloaded | undefined
  #received = 0

  constructor(inner: RawStream, head?: Head) {
    this.inner = inner
    this.#sink = inner
    inner.onWritable = () => this.innerWritable()
    inner.onClose = (error) => this.innerClosed(error)
    if (inner.closed) queueMicrotask(() => this.innerClosed(new Error('closed before it was opened')))
    if (head !== undefined) this.sendHead(head)
  }

  /** Bytes written so far, the head not counted. */
  get written(): number {
    return this.#written + (this.#offloaded?.written ?? 0)
  }

  /** Bytes read so far. */
  get received(): number {
    return this.#received + (this.#offloaded?.received ?? 0)
  }

  /** Whether it passes nothing on for now to keep a pace. */
  get paused(): boolean {
    return false
  }

  /** To be called before the first write. */
  sendHead({ bytes, wait = 0 }: Head): void {
    this.#head = new Headed(bytes, wait, this.inner, () => {
      this.#sink = this.inner
      this.#head = undefined
    })
    this.#sink = this.#head
  }

  /** Sends what is left of the head now. */
  flushHead(): void {
    this.#head?.flush()
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    this.#written += end - start
    return this.#sink.write(buffer, start, end, shared)
  }

  end(): void {
    this.#sink.end()
  }

  read(reader: RawReader): void {
    this.claim(reader)
    this.inner.read(this)
  }

  protected claim(reader: RawReader): void {
    const face = this.#face
    // What the `Duplex` has read ahead goes first.
    if (face !== undefined && this.reader === face && reader !== face) this.unread(face.giveBack())
    this.reader = reader
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    this.#received += end - start
    return (this.reader as RawReader).onBytes(buffer, start, end, shared)
  }

  onEnd(): void {
    this.reader?.onEnd()
  }

  unread(bytes: Buffer): void {
    this.#received -= bytes.length
    this.inner.unread(bytes)
  }

  resume(): void {
    this.inner.resume()
  }

  pause(): void {
    this.inner.pause()
  }

  reset(): void {
    this.inner.reset()
  }

  /** Resets it for this reason. */
  fail(error: Error): void {
    this.#error ??= error
    this.reset()
  }

  get detach(): (() => Detached | undefined) | undefined {
    if (this.inner.detach === undefined) return undefined
    return () => (this.#head === undefined ? this.inner.detach?.() : undefined)
  }

  get offload(): RawStream['offload'] {
    const { inner } = this
    if (inner.offload === undefined || this.#head !== undefined) return undefined
    return (socket, first) => {
      this.#offloaded = inner.offload?.(socket, first)
      return this.#offloaded
    }
  }

  /** The same stream for those who want Node's. */
  get duplex(): Duplex {
    this.#face ??= new RawFace(this)
    return this.#face
  }

  /** More may be written. */
  protected writable(): void {
    if (this.onWritable !== undefined) this.onWritable()
    else this.#face?.written()
  }

  protected innerWritable(): void {
    this.writable()
  }

  protected innerClosed(error: Error | undefined): void {
    this.over(error)
  }

  /** Nothing more will happen. */
  protected over(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.#head?.stop()
    const reason = this.#error ?? error
    // As a socket shows it, for HTTP and others who look at the code.
    this.#face?.over(reason === undefined ? undefined : Object.assign(resetError(), { cause: reason }))
    this.onOver?.(reason)
    this.onClose?.(reason)
  }
}
