import { rpcError } from '../error.js'
import type { BodyCodec } from './codec.js'

/** Memory of its own for each chunk of a stream costs more than its bytes: several share some. Node does so up to 4 KiB. */
const POOL_BYTES = 131_072

/** A larger body has memory of its own: one that is kept should not keep much beside it. */
const MAX_POOLED_BYTES = 32_768

let pool = Buffer.alloc(0)
let used = 0

const copyOf = (bytes: Buffer): Buffer => {
  const { length } = bytes
  if (length > MAX_POOLED_BYTES || length * 2 <= Buffer.poolSize) return Buffer.from(bytes)
  if (length > pool.length - used) {
    pool = Buffer.allocUnsafeSlow(POOL_BYTES)
    used = 0
  }
  const copy = pool.subarray(used, used + length)
  used += length
  bytes.copy(copy)
  return copy
}

/** Bytes as they are. A `Uint8Array` is sent so with any default codec. */
export const raw: BodyCodec = Object.freeze({
  number: 3,
  name: 'raw',
  encode: (value: unknown) => {
    if (value instanceof Uint8Array) return value
    throw rpcError('rpc.invalid', 'raw bodies are Uint8Array')
  },
  decode: copyOf
})
