/** A sequence of bytes to be found, not empty, prepared. */
export class Needle {
  readonly bytes: Buffer
  /** For each length of a beginning: how much of its end is a beginning again. Knuth, Morris and Pratt. */
  readonly fallback: Uint16Array

  constructor(bytes: Buffer) {
    this.bytes = bytes
    this.fallback = new Uint16Array(bytes.length)
    for (let at = 1, length = 0; at < bytes.length; at += 1) {
      while (length > 0 && bytes[at] !== bytes[length]) length = this.fallback[length - 1] as number
      if (bytes[at] === bytes[length]) length += 1
      this.fallback[at] = length
    }
  }
}

/** Bytes that are looked at one by one before the search of Node is asked, a call of which costs as much as some of them. */
const NEAR = 32

/** Where `byte` is next in `chunk`, at `from` or behind it; its end when it is not. */
const nextOf = (byte: number, chunk: Buffer, from: number): number => {
  const near = Math.min(chunk.length, from + NEAR)
  for (let at = from; at < near; at += 1) if (chunk[at] === byte) return at
  const far = near === chunk.length ? -1 : chunk.indexOf(byte, near)
  return far === -1 ? chunk.length : far
}

/**
 * Finds and replaces one needle in bytes that come in pieces, however they are cut, in time linear to them. What is kept
 * between two pieces is a number: what was held back is a beginning of the needle.
 */
export class Search {
  readonly #needle: Needle
  readonly #replacement: Buffer
  #held = 0

  constructor(needle: Needle, replacement: Buffer) {
    this.#needle = needle
    this.#replacement = replacement
  }

  /** How many bytes were held back, since a match may have begun: fewer than the needle has. */
  get held(): number {
    return this.#held
  }

  /**
   * Goes through `chunk` from `from` on, and gives what may go on to `emit`, in order. Stops early, after a match, when
   * `emit` answers `false`. Answers with how far it came.
   */
  run(chunk: Buffer, from: number, emit: (bytes: Buffer) => boolean): number {
    const { bytes: needle, fallback } = this.#needle
    const first = needle[0] as number
    const { length } = chunk
    let held = this.#held
    /** Where what was held back before would begin, were it in this chunk. */
    const origin = from - held
    let start = origin
    let at = from
    const pass = (end: number): void => {
      if (start < from) {
        const before = Math.min(end, from)
        if (before > start) emit(needle.subarray(start - origin, before - origin))
        start = Math.max(start, before)
      }
      if (end > start) emit(chunk.subarray(start, end))
      start = Math.max(start, end)
    }
    while (at < length) {
      if (held === 0) {
        at = nextOf(first, chunk, at)
        if (at === length) break
      } else {
        const byte = chunk[at]
        while (held > 0 && byte !== needle[held]) held = fallback[held - 1] as number
        if (byte !== needle[held]) continue
      }
      held += 1
      at += 1
      if (held < needle.length) continue
      pass(at - held)
      start = at
      held = 0
      if (!emit(this.#replacement)) break
    }
    pass(at - held)
    this.#held = held
    return at
  }

  /** What was held back, to go on as it is. */
  release(): Buffer {
    const rest = this.#needle.bytes.subarray(0, this.#held)
    this.#held = 0
    return rest
  }
}
