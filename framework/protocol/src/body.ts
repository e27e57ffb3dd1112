import { isUtf8 } from 'node:buffer'
import { RystraError } from '@rystra/model'
import { Decoder, Encoder } from '@msgpack/msgpack'
import { MAX_DEPTH, MAX_ITEMS } from './limits.js'

/**
 * Bodies are MessagePack maps. The library decodes them; the guard below looks at the bytes first, because the library
 * bounds neither depth nor the number of values, repairs broken UTF-8 in silence, and takes keys that are no strings.
 */
const decoder = new Decoder()
const encoder = new Encoder({ maxDepth: MAX_DEPTH, ignoreUndefined: true })

const malformed = (detail: string, cause?: unknown) => new RystraError('protocol.malformed', { detail, cause })

/** What the guard is looking at. One body at a time: nothing here waits. */
let bytes: Uint8Array = new Uint8Array()
let at = 0
let end = 0
let items = 0
let entries = 0

const uint = (size: number): number => {
  if (size > end - at) throw malformed('the body ends too early')
  let value = 0
  for (let left = size; left > 0; left--) value = value * 256 + (bytes[at++] as number)
  return value
}

const skip = (size: number): void => {
  if (size > end - at) throw malformed('the body ends too early')
  at += size
}

const text = (size: number): void => {
  const start = at
  skip(size)
  for (let index = start; index < at; index++) {
    if ((bytes[index] as number) < 0x80) continue
    if (isUtf8(bytes.subarray(start, at))) return
    throw malformed('a string is not UTF-8')
  }
}

const array = (size: number, depth: number): void => {
  if (depth >= MAX_DEPTH) throw malformed('nested too deeply')
  // Each value takes a byte at least, so a large number with little behind it is refused before anything is allocated.
  if (size > end - at) throw malformed('the body ends too early')
  for (let left = size; left > 0; left--) value(depth + 1)
}

const map = (size: number, depth: number): void => {
  if (depth >= MAX_DEPTH) throw malformed('nested too deeply')
  if (size * 2 > end - at) throw malformed('the body ends too early')
  entries += size
  for (let left = size; left > 0; left--) {
    const head = uint(1)
    if (head >= 0xa0 && head < 0xc0) text(head - 0xa0)
    else if (head >= 0xd9 && head <= 0xdb) text(uint(1 << (head - 0xd9)))
    else throw malformed('a key is not a string')
    value(depth + 1)
  }
}

const value = (depth: number): void => {
  if (++items > MAX_ITEMS) throw malformed('too many values')
  const head = uint(1)
  if (head < 0x80 || head >= 0xe0) return
  if (head < 0x90) return map(head - 0x80, depth)
  if (head < 0xa0) return array(head - 0x90, depth)
  if (head < 0xc0) return text(head - 0xa0)
  switch (head) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      return
    case 0xc4: // bin 8, 16, 32
    case 0xc5:
    case 0xc6:
      return skip(uint(1 << (head - 0xc4)))
    case 0xca: // float 32
      return skip(4)
    case 0xcb: // float 64
      return skip(8)
    case 0xcc: // uint 8, 16, 32, 64
    case 0xcd:
    case 0xce:
    case 0xcf:
      return skip(1 << (head - 0xcc))
    case 0xd0: // int 8, 16, 32, 64
    case 0xd1:
    case 0xd2:
    case 0xd3:
      return skip(1 << (head - 0xd0))
    case 0xd9: // str 8, 16, 32
    case 0xda:
    case 0xdb:
      return text(uint(1 << (head - 0xd9)))
    case 0xdc: // array 16, 32
    case 0xdd:
      return array(uint(2 << (head - 0xdc)), depth)
    case 0xde: // map 16, 32
    case 0xdf:
      return map(uint(2 << (head - 0xde)), depth)
    default: // 0xc1 is never used, the others are extension types
      throw malformed('a type of value that is not allowed')
  }
}

/** Looks at `body`, from its first byte to its last, without making anything of it. */
const guard = (body: Uint8Array): void => {
  bytes = body
  at = 0
  end = body.length
  items = 0
  entries = 0
  const head = body[0]
  if (head === undefined) throw malformed('an empty body')
  if ((head & 0xf0) !== 0x80 && head !== 0xde && head !== 0xdf) throw malformed('the body is not a map')
  value(0)
  if (at !== end) throw malformed('bytes behind the body')
}

const countEntries = (decoded: unknown): number => {
  if (typeof decoded !== 'object' || decoded === null || ArrayBuffer.isView(decoded)) return 0
  let count = 0
  if (Array.isArray(decoded)) {
    for (const item of decoded) count += countEntries(item)
    return count
  }
  for (const key in decoded) count += 1 + countEntries((decoded as Record<string, unknown>)[key])
  return count
}

/**
 * The map that a body holds. Bytes in it still look into `body`.
 * Throws `protocol.malformed`.
 */
export const decodeBody = (body: Uint8Array): Record<string, unknown> => {
  guard(body)
  let decoded: unknown
  try {
    decoded = decoder.decode(body)
  } catch (cause) {
    // What is left for it to refuse: the key `__proto__`.
    throw malformed('a key that is not allowed', cause)
  }
  // Of two equal keys one is lost; two implementations need not agree on which.
  if (countEntries(decoded) !== entries) throw malformed('a key occurs twice')
  return decoded as Record<string, unknown>
}

/**
 * The body for a map; fields that are undefined are left out. The memory is valid until the next call.
 * Throws `protocol.malformed` for what the other side would refuse.
 */
export const encodeBody = (fields: object): Uint8Array => {
  let body: Uint8Array
  try {
    body = encoder.encodeSharedRef(fields)
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : 'cannot be encoded', cause)
  }
  guard(body)
  return body
}
