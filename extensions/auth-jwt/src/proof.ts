import { type Challenge, challengeBytes } from '@rystra/plugin'
import { MAX_PROOF } from '@rystra/protocol'
import { createHmac, timingSafeEqual } from 'node:crypto'

const MAC_LENGTH = 32

/** Longest token that fits into a proof. */
export const MAX_TOKEN_LENGTH = MAX_PROOF - MAC_LENGTH

/**
 * JWS compact serialisation, RFC 7515 section 7.1; the signature may be missing, so that `alg: none` can be named in
 * the log.
 */
const shape = /^[\w-]+\.[\w-]+\.[\w-]*$/

export const isToken = (text: string): boolean => text.length <= MAX_TOKEN_LENGTH && shape.test(text)

/**
 * Binds a token to one handshake, on TLS to one link. A holder of the token can compute it too: it detects mistakes and
 * is no proof of possession.
 */
const mac = (token: string, challenge: Challenge): Buffer =>
  createHmac('sha256', token).update('rystra jwt').update(challengeBytes(challenge)).digest()

/** The proof of a client. */
export const makeProof = (token: string, challenge: Challenge): Buffer =>
  Buffer.concat([mac(token, challenge), Buffer.from(token, 'latin1')])

/** The token of a proof, or the reason of a refusal. */
export const tokenOf = (proof: Uint8Array, challenge: Challenge): { token: string } | { deny: string } => {
  const bytes = Buffer.from(proof.buffer, proof.byteOffset, proof.length)
  const token = bytes.toString('latin1', MAC_LENGTH)
  if (!isToken(token)) return { deny: `proof of ${proof.length} bytes without token` }
  if (!timingSafeEqual(bytes.subarray(0, MAC_LENGTH), mac(token, challenge))) {
    return { deny: 'proof of another handshake' }
  }
  return { token }
}
