import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { brokenAt, pattern } from './pattern.js'
import type { Scope } from './scope.js'

/** What came out of one end of a stream. Begins to read at once, unless told otherwise. */
export class Inbox {
  /** Bytes so far. */
  length = 0
  ended = false
  error: NodeJS.ErrnoException | undefined
  closed = false
  #broken = -1
  readonly #chunks: Buffer[] = []

  /** @param from where the sequence begins that is to come; `undefined` keeps the bytes instead */
  constructor(
    readonly stream: Duplex,
    private readonly from?: number,
    { reading = true } = {}
  ) {
    this.error = stream.errored ?? undefined
    this.closed = stream.closed
    stream.on('error', (error: Error) => {
      this.error ??= error
    })
    stream.on('close', () => {
      this.closed = true
    })
    if (reading) this.read()
  }

  /** Begins to read. */
  read(): this {
    this.stream.on('end', () => {
      this.ended = true
    })
    this.stream.on('data', (chunk: Buffer) => this.#take(chunk))
    return this
  }

  /** Everything so far, when it is kept. */
  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  /** Waits for so many bytes, all of them right. */
  async bytesCame(scope: Scope, count: number, label: string): Promise<void> {
    const done = (): boolean => this.length >= count || this.closed || this.ended
    await scope.until(done, `${count} bytes at ${label}`, () => this.length)
    this.#check(count, label)
  }

  /** Waits for the end, with so many bytes before it, all of them right. */
  async cameWhole(scope: Scope, count: number, label: string): Promise<void> {
    const what = `the end at ${label}, ${this.length} of ${count} bytes came`
    await scope.until(
      () => this.ended || this.closed,
      what,
      () => this.length
    )
    this.#check(count, label)
    assert.ok(this.ended, `${label} saw no end, but ${this.error?.message ?? 'a close'}`)
  }

  /** Waits for a reset, and that it does not look like an end. */
  async cameReset(scope: Scope, label: string): Promise<void> {
    await scope.until(() => this.error !== undefined || this.ended || this.closed, `the reset at ${label}`)
    assert.ok(!this.ended, `${label} took a reset for a clean end`)
    await scope.until(() => this.error !== undefined || this.closed, `an error at ${label}`)
    assert.ok(this.error !== undefined, `${label} saw a close without an error, instead of a reset`)
    await scope.until(() => this.closed, `the close of the stream after the reset at ${label}`)
  }

  /** Waits until the stream is given up with its link: why is told there, but it must not look like an end here. */
  async wasGivenUp(scope: Scope, label: string): Promise<void> {
    await scope.until(() => this.closed, `the reset of the stream at ${label}`)
    assert.ok(!this.ended, `${label} took a reset for a clean end`)
  }

  #take(chunk: Buffer): void {
    if (this.from === undefined) this.#chunks.push(chunk)
    else if (this.#broken < 0) {
      const at = brokenAt(chunk, this.from + this.length)
      if (at >= 0) this.#broken = this.length + at
    }
    this.length += chunk.length
  }

  #check(count: number, label: string): void {
    assert.ok(this.#broken < 0, `${label} got other bytes than were sent, from byte ${this.#broken} on`)
    assert.equal(this.length, count, `${label} got ${this.length} bytes of ${count}${this.#reason()}`)
  }

  #reason(): string {
    return this.error === undefined ? '' : `, then: ${this.error.message}`
  }
}

/** Waits for the end of many at once, with so many bytes before each, all of them right. */
export const allWhole = async (scope: Scope, boxes: readonly Inbox[], count: number, label: string): Promise<void> => {
  let over = 0
  const done = (): boolean => {
    while (over < boxes.length && (boxes[over]?.ended || boxes[over]?.closed)) over++
    return over === boxes.length
  }
  // one look for all of them: a thousand in each turn would be most of the work
  await scope.until(done, `the end of ${boxes.length} ${label}s`, () =>
    boxes.reduce((sum, { length }) => sum + length, 0)
  )
  for (const [index, box] of boxes.entries()) await box.cameWhole(scope, count, `${label} ${index}`)
}

/** How bytes are sent. */
export interface SendOptions {
  /** Bytes in one write, or a function that says so for each. @default 65536 */
  readonly chunk?: number | (() => number)
  /** Ends the stream after them. @default true */
  readonly end?: boolean
}

/** Sends `[from, from + count)` of the sequence, and waits whenever it is told to. */
export const send = (
  stream: Duplex,
  from: number,
  count: number,
  { chunk = 65_536, end = true }: SendOptions = {}
): void => {
  let at = 0
  const more = (): void => {
    while (at < count) {
      if (stream.destroyed) return
      const size = Math.min(count - at, typeof chunk === 'number' ? chunk : chunk())
      const on = stream.write(pattern(from + at, size))
      at += size
      if (!on) return void stream.once('drain', more)
    }
    if (end) stream.end()
  }
  more()
}

/** A writer that sends until it is held back, up to `limit` bytes, and says how many were taken. */
export const flood = (stream: Duplex, from: number, limit: number): { readonly taken: number } => {
  const state = { taken: 0 }
  const more = (): void => {
    while (state.taken < limit) {
      if (stream.destroyed) return
      const on = stream.write(pattern(from + state.taken, 16_384))
      state.taken += 16_384
      if (!on) return void stream.once('drain', more)
    }
  }
  more()
  return state
}

/** Gives a stream up so that its other end sees a reset. A bare socket has a word of its own for it. */
export const reset = (stream: Duplex): void => {
  if (stream instanceof Socket && stream.constructor === Socket && stream.remotePort !== undefined)
    stream.resetAndDestroy()
  else stream.destroy(new Error('given up'))
}

/** A stream whose errors are ignored. */
export const quiet = <Stream extends Duplex>(stream: Stream): Stream => stream.on('error', () => {})
