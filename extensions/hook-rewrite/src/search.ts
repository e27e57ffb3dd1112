/** A searched byte sequence, not empty, preprocessed. */
export class Needle {
  readonly bytes: Buffer
  /** The failure function of Knuth, Morris and Pratt. */
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

/** Bytes compared in JavaScript before `indexOf`, whose call costs as much as some of them. */
const LOCAL_SEARCH_BYTES = 32

/** Where `byte` is next in `chunk`, at `from` or behind it; its end when it is not. */
const nextOf = (byte: number, chunk: Buffer, from: number): number => {
  const near = Math.min(chunk.length, from + LOCAL_SEARCH_BYTES)
  for (let at = from; at < near; at += 1) if (chunk[at] === byte) return at
  const far = near === chunk.length ? -1 : chunk.indexOf(byte, near)
  return far === -1 ? chunk.length : far
}

/**
 * Finds and replaces a needle in chunked bytes in linear time. The state between chunks is a number: held-back bytes
 * are a prefix of the needle.
 */
export class Search {
  readonly #needle: Needle
  readonly #replacement: Buffer
  #held = 0

  constructor(needle: Needle, replacement: Buffer) {
    this.#needle = needle
    this.#replacement = replacement
  }

  /** Held-back bytes, fewer than the needle has. */
  get held(): number {
    return this.#held
  }

  /**
   * Searches `chunk` from `from` on and passes output to `emit` in order. Stops after a match when `emit` answers
   * `false`. Returns the position reached.
   */
  run(chunk: Buffer, from: number, emit: (bytes: Buffer) => boolean): number {
    const { bytes: needle, fallback } = this.#needle
    const first = needle[0] as number
    const { length } = chunk
    let held = this.#held
    /** Position of the held-back bytes relative to this chunk. */
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

  /** Returns the held-back bytes. */
  release(): Buffer {
    const rest = this.#needle.bytes.subarray(0, this.#held)
    this.#held = 0
    return rest
  }
}
