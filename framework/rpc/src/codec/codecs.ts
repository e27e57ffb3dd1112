import { rpcError } from '../error.js'
import { type BodyCodec, type Codecs, NO_BODY } from './codec.js'
import { json } from './json.js'
import { msgpack } from './msgpack.js'
import { raw } from './raw.js'

/** The codecs of the framework, and those of the application. Throws `rpc.invalid` for a number that is taken. */
export const codecsOf = (more: readonly BodyCodec[] = []): Codecs => {
  const table: (BodyCodec | undefined)[] = []
  for (const codec of [msgpack, json, raw]) table[codec.number] = codec
  for (const codec of more) {
    if (!Number.isInteger(codec.number) || codec.number < 16 || codec.number > 255 || table[codec.number]) {
      throw rpcError('rpc.invalid', `codec ${codec.name}: expected a free number from 16 to 255`)
    }
    table[codec.number] = codec
  }
  return table
}

/** The codec for a value: none for `undefined`, raw for bytes, otherwise the one that was chosen. */
export const codecFor = (value: unknown, chosen: BodyCodec): BodyCodec | undefined =>
  value === undefined ? undefined : value instanceof Uint8Array ? raw : chosen

/** The value of a body, whose memory is lent unless it is `owned`. Throws `rpc.invalid`. */
export const decodeBody = (codecs: Codecs, number: number, bytes: Buffer, owned: boolean): unknown => {
  if (number === NO_BODY) {
    if (bytes.length === 0) return undefined
    throw rpcError('rpc.invalid', 'a body without a codec')
  }
  if (owned && number === raw.number) return bytes
  const codec = codecs[number]
  if (codec === undefined) throw rpcError('rpc.invalid', `unknown codec ${number}`)
  try {
    return codec.decode(bytes)
  } catch (cause) {
    throw rpcError('rpc.invalid', `not a ${codec.name} body`, cause)
  }
}
