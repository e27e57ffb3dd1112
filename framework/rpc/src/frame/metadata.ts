import { isUtf8 } from 'node:buffer'
import { rpcError } from '../error.js'
import { MAX_KEY_BYTES, MAX_METADATA_BYTES, MAX_METADATA_ENTRIES } from '../limits.js'

/** What goes with a message beside its body. */
export type Metadata = Readonly<Record<string, string>>

/** Keys that have a number on the wire, from 1. */
export const wellKnownKeys = Object.freeze([
  'traceparent',
  'tracestate',
  'baggage',
  'request-id',
  'idempotency-key',
  'content-type',
  'authorization',
  'tenant',
  'priority',
  'accept-language',
  'from',
  'to'
] as const)

const numbers = new Map<string, number>(wellKnownKeys.map((key, index) => [key, index + 1]))

/** Set in the first byte of a key that is a text; the other bits are its length. */
const TEXT = 0x80

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const control = /[\u0000-\u001f\u007f-\u009f]/

/** The bytes of metadata. Throws `rpc.invalid` for what the other side would refuse. */
export const encodeMetadata = (metadata: Metadata): Buffer => {
  const parts: Buffer[] = []
  let size = 0
  const keys = Object.keys(metadata)
  if (keys.length > MAX_METADATA_ENTRIES) throw rpcError('rpc.invalid', `more than ${MAX_METADATA_ENTRIES} metadata`)
  for (const key of keys) {
    const value = metadata[key] as string
    if (typeof value !== 'string') throw rpcError('rpc.invalid', `metadata ${key}: expected a string`)
    if (key === '' || control.test(key) || control.test(value)) {
      throw rpcError('rpc.invalid', 'metadata: expected a key and a value without control characters')
    }
    const number = numbers.get(key)
    const text = number === undefined ? Buffer.from(key) : undefined
    if (text !== undefined && text.length > MAX_KEY_BYTES)
      throw rpcError('rpc.invalid', 'metadata: the key is too long')
    const bytes = Buffer.from(value)
    const entry = Buffer.allocUnsafe(1 + (text?.length ?? 0) + 2 + bytes.length)
    let at = entry.writeUInt8(number ?? TEXT | (text as Buffer).length, 0)
    if (text !== undefined) at += text.copy(entry, at)
    // The sum is checked below, before a length could overflow its field in what is sent.
    at = entry.writeUInt16BE(bytes.length & 0xffff, at)
    bytes.copy(entry, at)
    size += entry.length
    if (size > MAX_METADATA_BYTES) throw rpcError('rpc.invalid', `metadata: more than ${MAX_METADATA_BYTES} bytes`)
    parts.push(entry)
  }
  return Buffer.concat(parts, size)
}

const textAt = (bytes: Buffer, at: number, end: number): string => {
  const part = bytes.subarray(at, end)
  if (!isUtf8(part)) throw rpcError('rpc.protocol', 'metadata: not UTF-8')
  const text = part.toString()
  if (control.test(text)) throw rpcError('rpc.protocol', 'metadata: a control character')
  return text
}

/** The metadata in `bytes[at, end)`. Throws `rpc.protocol`. */
export const decodeMetadata = (bytes: Buffer, at: number, end: number): Metadata => {
  if (end - at > MAX_METADATA_BYTES) throw rpcError('rpc.protocol', 'metadata: too many bytes')
  // Without a prototype, so that no key means anything else.
  const metadata: Record<string, string> = Object.create(null)
  let entries = 0
  while (at < end) {
    if (++entries > MAX_METADATA_ENTRIES) throw rpcError('rpc.protocol', 'metadata: too many entries')
    const head = bytes[at++] as number
    let key: string | undefined
    if (head > TEXT) {
      if (end - at < head - TEXT) throw rpcError('rpc.protocol', 'metadata: too short')
      key = textAt(bytes, at, at + head - TEXT)
      at += head - TEXT
    } else if (head === 0 || head === TEXT) throw rpcError('rpc.protocol', 'metadata: an empty key')
    else key = wellKnownKeys[head - 1]
    if (end - at < 2) throw rpcError('rpc.protocol', 'metadata: too short')
    const size = bytes.readUInt16BE(at)
    at += 2
    if (end - at < size) throw rpcError('rpc.protocol', 'metadata: too short')
    // A number that is not known yet is left out: its key is that of a later version.
    if (key !== undefined) metadata[key] = textAt(bytes, at, at + size)
    at += size
  }
  return metadata
}
