import { Packr } from 'msgpackr'
import { rpcError } from '../error.js'
import type { BodyCodec } from './codec.js'
import { readMessagePack } from './msgpack-reader.js'

// Records would let the peer define shapes that outlive a message.
const packr = new Packr({ useRecords: false, variableMapSize: true })

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
  decode: readMessagePack
})
