import { RystraError } from '@rystra/model'
import { Decoder, Encoder } from '@msgpack/msgpack'
import { guard } from './guard.js'
import { MAX_DEPTH, MAX_ITEMS } from './limits.js'

/** Bodies are MessagePack maps. */
const decoder = new Decoder()
const encoder = new Encoder({ maxDepth: MAX_DEPTH, ignoreUndefined: true })
const rules = { depth: MAX_DEPTH, items: MAX_ITEMS } as const

const malformed = (detail: string, cause?: unknown) => new RystraError('protocol.malformed', { detail, cause })

const countEntries = (decoded: unknown): number => {
  if (typeof decoded !== 'object' || decoded === null || ArrayBuffer.isView(decoded)) return 0
  let count = 0
  if (Array.isArray(decoded)) {
    for (const item of decoded) count += countEntries(item)
    return count
  }
  for (const key of Object.keys(decoded)) count += 1 + countEntries((decoded as Record<string, unknown>)[key])
  return count
}

/**
 * The map that a body holds. Bytes in it still look into `body`.
 * Throws `protocol.malformed`.
 */
export const decodeBody = (body: Uint8Array): Record<string, unknown> => {
  const entries = guard(body, rules)
  let decoded: unknown
  try {
    decoded = decoder.decode(body)
  } catch (cause) {
    throw malformed('the body cannot be decoded', cause)
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
  guard(body, rules)
  return body
}
