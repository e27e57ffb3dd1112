import { Random } from '../random.js'

/** A prime, so that what is lost or put in another order by any usual block size shows. */
const PERIOD = 65_521

const block = new Random(1).bytes(PERIOD)
const twice = Buffer.concat([block, block])

/** Bytes `[from, from + length)` of an endless sequence; each stream begins at a place of its own. */
export const pattern = (from: number, length: number): Buffer => {
  const bytes = Buffer.allocUnsafe(length)
  for (let at = 0; at < length; ) {
    const begin = (from + at) % PERIOD
    at += twice.copy(bytes, at, begin, Math.min(begin + length - at, begin + PERIOD))
  }
  return bytes
}

/** Where in `bytes` the sequence from `from` on breaks off, or -1. */
export const brokenAt = (bytes: Buffer, from: number): number => {
  const right = pattern(from, bytes.length)
  if (bytes.equals(right)) return -1
  return bytes.findIndex((byte, at) => byte !== right[at])
}
