import { isUtf8 } from 'node:buffer'
import { RystraError } from '@rystra/model'

/** What a MessagePack value may be. */
export interface GuardRules {
  /** Nested maps and arrays, the outermost counted. */
  readonly depth: number
  /** Values, keys not counted. */
  readonly items: number
}

const malformed = (detail: string) => new RystraError('protocol.malformed', { detail })

/** What the guard is looking at. One body at a time: nothing here waits. */
let bytes: Uint8Array = new Uint8Array()
let at = 0
let end = 0
let items = 0
let entries = 0
let maxDepth = 0
let maxItems = 0

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

const proto = Buffer.from('__proto__')

/** A key is a string, and not the one that would change the prototype of an object made of the map. */
const key = (): void => {
  const head = uint(1)
  if ((head < 0xa0 || head >= 0xc0) && (head < 0xd9 || head > 0xdb)) throw malformed('a key is not a string')
  const size = head < 0xc0 ? head - 0xa0 : uint(1 << (head - 0xd9))
  text(size)
  if (size === proto.length && proto.equals(bytes.subarray(at - size, at))) throw malformed('a key that is not allowed')
}

const array = (size: number, depth: number): void => {
  if (depth >= maxDepth) throw malformed('nested too deeply')
  // Each value takes a byte at least, so a large number with little behind it is refused before anything is allocated.
  if (size > end - at) throw malformed('the body ends too early')
  for (let left = size; left > 0; left--) value(depth + 1)
}

const map = (size: number, depth: number): void => {
  if (depth >= maxDepth) throw malformed('nested too deeply')
  if (size * 2 > end - at) throw malformed('the body ends too early')
  entries += size
  for (let left = size; left > 0; left--) {
    key()
    value(depth + 1)
  }
}

/** A value whose first byte says its type alone. */
const tagged = (head: number, depth: number): void => {
  switch (head) {
    case 0xc0: // nil
    case 0xc2: // false
    case 0xc3: // true
      break
    case 0xc4: // bin 8, 16, 32
    case 0xc5:
    case 0xc6:
      skip(uint(1 << (head - 0xc4)))
      break
    case 0xca: // float 32
      skip(4)
      break
    case 0xcb: // float 64
      skip(8)
      break
    case 0xcc: // uint 8, 16, 32, 64
    case 0xcd:
    case 0xce:
    case 0xcf:
      skip(1 << (head - 0xcc))
      break
    case 0xd0: // int 8, 16, 32, 64
    case 0xd1:
    case 0xd2:
    case 0xd3:
      skip(1 << (head - 0xd0))
      break
    case 0xd9: // str 8, 16, 32
    case 0xda:
    case 0xdb:
      text(uint(1 << (head - 0xd9)))
      break
    case 0xdc: // array 16, 32
    case 0xdd:
      array(uint(2 << (head - 0xdc)), depth)
      break
    case 0xde: // map 16, 32
    case 0xdf:
      map(uint(2 << (head - 0xde)), depth)
      break
    default: // 0xc1 is never used, the others are extension types
      throw malformed('a type of value that is not allowed')
  }
}

const value = (depth: number): void => {
  if (++items > maxItems) throw malformed('too many values')
  const head = uint(1)
  // A number from -32 to 127 is its own byte.
  if (head < 0x80 || head >= 0xe0) return
  if (head < 0x90) map(head - 0x80, depth)
  else if (head < 0xa0) array(head - 0x90, depth)
  else if (head < 0xc0) text(head - 0xa0)
  else tagged(head, depth)
}

/**
 * Looks at a MessagePack body from its first byte to its last, without making anything of it: the libraries bound neither
 * depth nor the number of values, repair broken UTF-8 in silence, and take keys that are no strings.
 *
 * Throws `protocol.malformed`. Answers with the number of entries in maps.
 */
export const guard = (body: Uint8Array, rules: GuardRules): number => {
  bytes = body
  at = 0
  end = body.length
  items = 0
  entries = 0
  maxDepth = rules.depth
  maxItems = rules.items
  const head = body[0]
  if (head === undefined) throw malformed('an empty body')
  if ((head & 0xf0) !== 0x80 && head !== 0xde && head !== 0xdf) throw malformed('the body is not a map')
  value(0)
  if (at !== end) throw malformed('bytes behind the body')
  return entries
}
