import { rpcError } from '../error.js'
import type { BodyCodec } from './codec.js'

/** Bytes as they are. A `Uint8Array` is sent so with any default codec. */
export const raw: BodyCodec = Object.freeze({
  number: 3,
  name: 'raw',
  encode: (value: unknown) => {
    if (value instanceof Uint8Array) return value
    throw rpcError('rpc.invalid', 'raw bodies are Uint8Array')
  },
  decode: (bytes: Buffer) => Buffer.from(bytes)
})
