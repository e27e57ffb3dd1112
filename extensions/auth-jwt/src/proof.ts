import type { Challenge } from '@rystra/plugin'
import { MAX_PROOF } from '@rystra/protocol'
import { createHmac, timingSafeEqual } from 'node:crypto'

const MAC_LENGTH = 32

/** Characters of the longest token that fits into a proof. */
export const LONGEST_TOKEN = MAX_PROOF - MAC_LENGTH

/** JWS compact serialisation, RFC 7515 §7.1; the signature may be missing, so that `alg: none` can be named in the log. */
const shape = /^[\w-]+\.[\w-]+\.[\w-]*$/

export const isToken = (text: string): boolean => text.length <= LONGEST_TOKEN && shape.test(text)

/**
 * Ties a token to one handshake, on TLS to one link: every field has its length in front; a missing binding differs from
 * an empty one. Who has the token could make it as well: it finds mistakes and mix-ups, and is no proof of possession.
 */
const mac = (token: string, { transcript, clientId, binding }: Challenge): Buffer => {
  const hmac = createHmac('sha256', token).update('rystra jwt')
  for (const field of [
    transcript,
    Buffer.from(clientId, 'utf8'),
    Uint8Array.of(binding === undefined ? 0 : 1),
    binding
  ]) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(field?.length ?? 0)
    hmac.update(length).update(field ?? '')
  }
  return hmac.digest()
}

/** What a client sends. */
export const makeProof = (token: string, challenge: Challenge): Buffer =>
  Buffer.concat([mac(token, challenge), Buffer.from(token, 'latin1')])

/** The token in a proof, or what is wrong with it. */
export const tokenOf = (proof: Uint8Array, challenge: Challenge): { token: string } | { deny: string } => {
  const bytes = Buffer.from(proof.buffer, proof.byteOffset, proof.length)
  const token = bytes.toString('latin1', MAC_LENGTH)
  if (!isToken(token)) return { deny: `a proof of ${proof.length} bytes that holds no token` }
  if (!timingSafeEqual(bytes.subarray(0, MAC_LENGTH), mac(token, challenge))) {
    return { deny: 'the proof is for another handshake' }
  }
  return { token }
}
