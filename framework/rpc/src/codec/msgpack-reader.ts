import { isUtf8 } from 'node:buffer'
import { rpcError } from '../error.js'
import { MAX_BODY_DEPTH, MAX_BODY_ITEMS } from '../limits.js'
import { expectedKey, findKey, keyIn, NO_SLOT } from './key-cache.js'

/** Shorter texts are made from their codes: a call into the runtime takes longer. */
const SHORT_TEXT_BYTES = 8

/** What is being read. One body at a time: nothing here waits. */
const NOTHING = Buffer.alloc(0)
let bytes: Buffer = NOTHING
let at = 0
let end = 0
let items = 0
/** The slot of the key that was read last. */
let slot = NO_SLOT

const { fromCharCode } = String

/** A number of eight bytes: a view of each body would have to be made. */
const octets = new Uint8Array(8)
const double = new DataView(octets.buffer)

const invalid = (detail: string) => rpcError('rpc.invalid', detail)

/** Where the next `size` bytes begin. */
const take = (size: number): number => {
  if (size > end - at) throw invalid('the body ends too early')
  at += size
  return at - size
}

const u8 = (): number => bytes[take(1)] as number
const u16 = (): number => bytes.readUInt16BE(take(2))
const u32 = (): number => bytes.readUInt32BE(take(4))

/** A number of eight bytes; above 2^53 it is rounded. */
const u64 = (): number => u32() * 0x1_0000_0000 + u32()
const i64 = (): number => bytes.readInt32BE(take(4)) * 0x1_0000_0000 + u32()

const code = (index: number): number => bytes[index] as number

const float64 = (): number => {
  const start = take(8)
  octets[0] = code(start)
  octets[1] = code(start + 1)
  octets[2] = code(start + 2)
  octets[3] = code(start + 3)
  octets[4] = code(start + 4)
  octets[5] = code(start + 5)
  octets[6] = code(start + 6)
  octets[7] = code(start + 7)
  return double.getFloat64(0)
}

/** ASCII of 1 to {@link SHORT_TEXT_BYTES} bytes. */
const shortText = (at: number, size: number): string => {
  switch (size) {
    case 1:
      return fromCharCode(code(at))
    case 2:
      return fromCharCode(code(at), code(at + 1))
    case 3:
      return fromCharCode(code(at), code(at + 1), code(at + 2))
    case 4:
      return fromCharCode(code(at), code(at + 1), code(at + 2), code(at + 3))
    case 5:
      return fromCharCode(code(at), code(at + 1), code(at + 2), code(at + 3), code(at + 4))
    case 6:
      return fromCharCode(code(at), code(at + 1), code(at + 2), code(at + 3), code(at + 4), code(at + 5))
    case 7:
      return fromCharCode(code(at), code(at + 1), code(at + 2), code(at + 3), code(at + 4), code(at + 5), code(at + 6))
    default: {
      const [g, h] = [code(at + 6), code(at + 7)]
      return fromCharCode(code(at), code(at + 1), code(at + 2), code(at + 3), code(at + 4), code(at + 5), g, h)
    }
  }
}

const textAt = (start: number, size: number): string => {
  if (size === 0) return ''
  if (size <= SHORT_TEXT_BYTES) {
    let bits = 0
    for (let index = 0; index < size; index++) bits |= bytes[start + index] as number
    if (bits < 0x80) return shortText(start, size)
  }
  const found = bytes.toString('utf8', start, start + size)
  // Broken UTF-8 becomes U+FFFD, which may also have been sent.
  if (found.includes('\ufffd') && !isUtf8(bytes.subarray(start, start + size))) throw invalid('a text is not UTF-8')
  return found
}

const text = (size: number): string => textAt(take(size), size)

/** A key is a text, and not the one that would change the prototype. */
const key = (before: number): string => {
  const head = u8()
  let size: number
  if (head >= 0xa0 && head < 0xc0) size = head - 0xa0
  else if (head === 0xd9) size = u8()
  else if (head === 0xda) size = u16()
  else if (head === 0xdb) size = u32()
  else throw invalid('a key is not a text')
  const start = take(size)
  slot = expectedKey(before, bytes, start, size)
  if (slot !== NO_SLOT) return keyIn(slot)
  return otherKey(before, start, size)
}

const otherKey = (before: number, start: number, size: number): string => {
  const read = (): string => {
    const name = textAt(start, size)
    if (name === '__proto__') throw invalid('a key that is not allowed')
    return name
  }
  slot = findKey(before, bytes, start, size, read)
  return slot === NO_SLOT ? read() : keyIn(slot)
}

/** Each value takes a byte at least, so that nothing is allocated for a large number with little behind it. */
const enter = (count: number, size: number, depth: number): void => {
  if (depth >= MAX_BODY_DEPTH) throw invalid('nested too deeply')
  if (count * size > end - at) throw invalid('the body ends too early')
  if (count > MAX_BODY_ITEMS - items) throw invalid('too many values')
}

const array = (count: number, depth: number): unknown[] => {
  enter(count, 1, depth)
  const list = new Array<unknown>(count)
  for (let index = 0; index < count; index++) list[index] = value(depth + 1)
  return list
}

const map = (count: number, depth: number): Record<string, unknown> => {
  enter(count, 2, depth)
  const record: Record<string, unknown> = {}
  let before = NO_SLOT
  for (let left = count; left > 0; left--) {
    const name = key(before)
    before = slot
    record[name] = value(depth + 1)
  }
  return record
}

/** A copy: the bytes are lent. */
const binary = (size: number): Buffer => {
  const start = take(size)
  return Buffer.from(bytes.subarray(start, at))
}

/** A time stamp (type -1), or type 0, which stands for `undefined`: nothing that would make an object of another class. */
const extension = (head: number): unknown => {
  const size = head === 0xd4 ? 1 : head === 0xd6 ? 4 : head === 0xd7 ? 8 : head === 0xc7 && u8() === 12 ? 12 : 0
  if (size === 0) throw notAllowed()
  const type = u8()
  if (head === 0xd4 && type === 0) {
    take(1)
    return undefined
  }
  if (type !== 0xff) throw notAllowed()
  if (size === 4) return new Date(u32() * 1000)
  if (size === 8) {
    const [high, low] = [u32(), u32()]
    return new Date((high >>> 2) / 1e6 + ((high & 3) * 0x1_0000_0000 + low) * 1000)
  }
  const nanoseconds = u32()
  return new Date(nanoseconds / 1e6 + i64() * 1000)
}

const notAllowed = () => invalid('a type of value that is not allowed')

/** A value whose first byte says its type alone. */
const tagged = (head: number, depth: number): unknown => {
  switch (head) {
    case 0xc0:
      return null
    case 0xc2:
      return false
    case 0xc3:
      return true
    case 0xc4:
      return binary(u8())
    case 0xc5:
      return binary(u16())
    case 0xc6:
      return binary(u32())
    case 0xca:
      return bytes.readFloatBE(take(4))
    case 0xcb:
      return float64()
    case 0xcc:
      return u8()
    case 0xcd:
      return u16()
    case 0xce:
      return u32()
    case 0xcf:
      return u64()
    case 0xd0:
      return bytes.readInt8(take(1))
    case 0xd1:
      return bytes.readInt16BE(take(2))
    case 0xd2:
      return bytes.readInt32BE(take(4))
    case 0xd3:
      return i64()
    case 0xd9:
      return text(u8())
    case 0xda:
      return text(u16())
    case 0xdb:
      return text(u32())
    case 0xdc:
      return array(u16(), depth)
    case 0xdd:
      return array(u32(), depth)
    case 0xde:
      return map(u16(), depth)
    case 0xdf:
      return map(u32(), depth)
    default: // 0xc1 is never used, the others are extension types
      return extension(head)
  }
}

const value = (depth: number): unknown => {
  if (++items > MAX_BODY_ITEMS) throw invalid('too many values')
  if (at === end) throw invalid('the body ends too early')
  const head = code(at++)
  // A number from -32 to 127 is its own byte.
  if (head < 0x80) return head
  if (head >= 0xe0) return head - 0x100
  if (head < 0x90) return map(head - 0x80, depth)
  if (head < 0xa0) return array(head - 0x90, depth)
  if (head < 0xc0) return text(head - 0xa0)
  return tagged(head, depth)
}

/**
 * Reads a MessagePack body in one pass that checks it as well: depth and number of values, lengths that are covered, keys that
 * are texts, UTF-8, no extension type but time stamps. Nothing of `body` is kept. Throws `rpc.invalid`.
 */
export const readMessagePack = (body: Buffer): unknown => {
  bytes = body
  at = 0
  end = body.length
  items = 0
  try {
    const read = value(0)
    if (at !== end) throw invalid('bytes behind the body')
    return read
  } finally {
    bytes = NOTHING
  }
}
