import { type Challenge, challengeBytes } from '@rystra/plugin'
import { MAX_PROOF } from '@rystra/protocol'
import { createHmac, timingSafeEqual } from 'node:crypto'

const MAC_LENGTH = 32

/** Characters of the longest token that fits into a proof. */
export const LONGEST_TOKEN = MAX_PROOF - MAC_LENGTH

/** JWS compact serialisation, RFC 7515 §7.1; the signature may be missing, so that `alg: none` can be named in the log. */
const shape = /^[\w-]+\.[\w-]+\.[\w-]*$/

export const isToken = (text: string): boolean => text.length <= LONGEST_TOKEN && shape.test(text)

/**
 * Ties a token to one handshake, on TLS to one link. Who has the token could make it as well: it finds mistakes and
 * mix-ups, and is no proof of possession.
 */
const mac = (token: string, challenge: Challenge): Buffer =>
  createHmac('sha256', token).update('rystra jwt').update(challengeBytes(challenge)).digest()

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
