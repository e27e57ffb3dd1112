import { randomFillSync } from 'node:crypto'

/** RFC 6455 §5.2. */
export const Opcode = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** Bytes in front of a payload at most: what lent memory leaves free in front of it is more. */
export const MAX_HEADER = 14

/** Bytes of the header of a frame that this end sends. */
export const headerSize = (length: number, keyed: boolean): number =>
  (length < 126 ? 2 : length < 65_536 ? 4 : 10) + (keyed ? 4 : 0)

/** Writes the header of an unfragmented frame so that it ends at `end`. `key`: a mask that goes with it. */
export const putHeader = (into: Buffer, end: number, opcode: number, length: number, key?: Uint8Array): void => {
  let at = end - headerSize(length, key !== undefined)
  const bit = key === undefined ? 0 : 0x80
  into[at] = 0x80 | opcode
  if (length < 126) into[at + 1] = bit | length
  else if (length < 65_536) {
    into[at + 1] = bit | 126
    into.writeUInt16BE(length, at + 2)
  } else {
    into[at + 1] = bit | 127
    into.writeUInt32BE(0, at + 2)
    into.writeUInt32BE(length, at + 6)
  }
  at = end - 4
  if (key !== undefined) for (let place = 0; place < 4; place += 1) into[at + place] = key[place] as number
}

/** Keys nobody can foresee, made in numbers since asking for four bytes costs as much as for a thousand. */
export class Keys {
  readonly #pool = Buffer.alloc(4096)
  #at = 4096

  /** The next one; valid until it is called again. */
  next(): Uint8Array {
    if (this.#at === this.#pool.length) {
      randomFillSync(this.#pool)
      this.#at = 0
    }
    this.#at += 4
    return this.#pool.subarray(this.#at - 4, this.#at)
  }
}
