import { guard } from '@rystra/protocol'
import { Packr } from 'msgpackr'
import { rpcError } from '../error.js'
import { MAX_BODY_DEPTH, MAX_BODY_ITEMS } from '../limits.js'
import type { BodyCodec } from './codec.js'

// Records would let the peer define shapes that outlive a message; without copies, bytes would point into lent memory.
const packr = new Packr({
  useRecords: false,
  copyBuffers: true,
  mapsAsObjects: true,
  variableMapSize: true,
  int64AsType: 'number'
})

const rules = { depth: MAX_BODY_DEPTH, items: MAX_BODY_ITEMS, root: 'any', timestamps: true } as const

/** MessagePack, the default. Extension types other than time stamps are refused. */
export const msgpack: BodyCodec = Object.freeze({
  number: 1,
  name: 'msgpack',
  encode: (value: unknown) => {
    try {
      return packr.pack(value)
    } catch (cause) {
      throw rpcError('rpc.invalid', 'cannot be encoded as MessagePack', cause)
    }
  },
  decode: (bytes: Buffer) => {
    guard(bytes, rules)
    return packr.unpack(bytes)
  }
})
