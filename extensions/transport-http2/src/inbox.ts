/** Copies are gathered in blocks of these sizes, so that frames of one byte cost no more than their bytes. */
const SMALLEST = 1024
const LARGEST = 64 * 1024

/** What a block costs besides its bytes, roughly. */
const OVERHEAD = 256

/** What the inboxes of a link hold together, in bytes. */
export interface Memory {
  used: number
}

interface Block {
  readonly buffer: Buffer
  end: number
}

/** What a stream has received and its reader has not taken yet. Copied: a frame would keep the whole read it came with. */
export class Inbox {
  /** Bytes that wait. */
  length = 0
  readonly #memory: Memory
  readonly #blocks: Block[] = []
  #size = SMALLEST

  constructor(memory: Memory) {
    this.#memory = memory
  }

  add(bytes: Buffer): void {
    this.length += bytes.length
    const last = this.#blocks.at(-1)
    let at = 0
    if (last !== undefined) {
      at = bytes.copy(last.buffer, last.end)
      last.end += at
    }
    if (at === bytes.length) return
    const buffer = Buffer.allocUnsafeSlow(Math.max(this.#size, bytes.length - at))
    this.#size = Math.min(LARGEST, this.#size * 2)
    this.#memory.used += buffer.length + OVERHEAD
    this.#blocks.push({ buffer, end: bytes.copy(buffer, 0, at) })
  }

  /** Puts bytes in front of all others. */
  putBack(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.length += bytes.length
    this.#memory.used += bytes.length + OVERHEAD
    this.#blocks.unshift({ buffer: bytes, end: bytes.length })
  }

  shift(): Buffer | undefined {
    const block = this.#blocks.shift()
    if (block === undefined) return undefined
    this.length -= block.end
    this.#memory.used -= block.buffer.length + OVERHEAD
    return block.buffer.subarray(0, block.end)
  }

  clear(): void {
    while (this.shift() !== undefined);
  }
}
