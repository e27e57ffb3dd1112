import { rpcError } from '../error.js'
import { MAX_BODY_DEPTH } from '../limits.js'
import type { BodyCodec } from './codec.js'

const OPENS = new Set([0x5b, 0x7b])
const CLOSES = new Set([0x5d, 0x7d])

/** Refuses what is nested too deeply before the parser recurses. */
const checkDepth = (bytes: Buffer): void => {
  let depth = 0
  let quoted = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number
    if (byte === 0x22) quoted = !quoted
    else if (quoted) at += byte === 0x5c ? 1 : 0
    else if (OPENS.has(byte) && ++depth > MAX_BODY_DEPTH) throw rpcError('rpc.invalid', 'nested too deeply')
    else if (CLOSES.has(byte)) depth -= 1
  }
}

/** JSON in UTF-8, RFC 8259. */
export const json: BodyCodec = Object.freeze({
  number: 2,
  name: 'json',
  encode: (value: unknown) => {
    const text = JSON.stringify(value)
    if (text === undefined) throw rpcError('rpc.invalid', 'not a JSON value')
    return Buffer.from(text)
  },
  decode: (bytes: Buffer) => {
    checkDepth(bytes)
    const text = bytes.toString()
    // An own `__proto__` would become a prototype where the value is copied later.
    return text.includes('__proto__')
      ? JSON.parse(text, (key, value: unknown) => (key === '__proto__' ? undefined : value))
      : (JSON.parse(text) as unknown)
  }
})
