import type { RawReader, RawStream, Verdict } from '../src/index.js'

export { turns, until } from '@rystra/testkit'

/** Bytes that tell where they belong. */
export const pattern = (length: number, seed = 1): Buffer => {
  const bytes = Buffer.allocUnsafe(length)
  let state = seed >>> 0 || 1
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

/** Takes down all that a raw stream tells, in order. */
export class Recorder implements RawReader {
  readonly chunks: Buffer[] = []
  readonly shared: boolean[] = []
  readonly buffers = new Set<Buffer>()
  ends = 0
  closed: { error: Error | undefined } | undefined
  length = 0
  /** What to answer; may do something with the bytes before. */
  answer: (buffer: Buffer, start: number, end: number, shared: boolean) => Verdict = () => true

  constructor(raw?: RawStream) {
    if (raw === undefined) return
    raw.onClose = (error) => {
      if (this.closed !== undefined) throw new Error('closed twice')
      this.closed = { error }
    }
    raw.read(this)
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }

  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    if (end <= start) throw new Error('an empty chunk')
    if (this.ends > 0) throw new Error('bytes behind the end')
    this.chunks.push(Buffer.from(buffer.subarray(start, end)))
    this.shared.push(shared)
    this.buffers.add(buffer)
    this.length += end - start
    return this.answer(buffer, start, end, shared)
  }

  onEnd(): void {
    this.ends += 1
  }
}
