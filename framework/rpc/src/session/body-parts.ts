import { Flag, FrameType } from '../frame/types.js'
import { CHUNK_BYTES } from '../limits.js'
import type { FrameWriter, Parts } from './writer.js'

/** A long body on its way out, in Data frames. */
export class BodyParts implements Parts {
  readonly #id: number
  readonly #flags: number
  readonly #body: Uint8Array
  readonly #done: (() => void) | undefined
  #at = 0

  constructor(id: number, answer: boolean, body: Uint8Array, done?: () => void) {
    this.#id = id
    this.#flags = answer ? Flag.answer : 0
    this.#body = body
    this.#done = done
  }

  get bytes(): number {
    return this.#body.length - this.#at
  }

  next(writer: FrameWriter): boolean {
    const size = Math.min(CHUNK_BYTES, this.bytes)
    const more = size < this.bytes
    const at = writer.begin(FrameType.data, this.#flags | (more ? Flag.more : 0), this.#id, size)
    writer.buffer.set(this.#body.subarray(this.#at, this.#at + size), at)
    this.#at += size
    if (!more) this.#done?.()
    return more
  }
}
