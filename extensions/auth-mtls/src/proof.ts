import { type Challenge, challengeBytes } from '@rystra/plugin'
import { createHash, timingSafeEqual } from 'node:crypto'

/**
 * The proof of a client. TLS has proved possession of the key, so it contains no secret: it confirms that the client
 * intends this session.
 */
export const makeProof = (challenge: Challenge): Buffer =>
  createHash('sha256').update('rystra mtls').update(challengeBytes(challenge)).digest()

export const checkProof = (proof: Uint8Array, challenge: Challenge): boolean => {
  const expected = makeProof(challenge)
  return proof.length === expected.length && timingSafeEqual(proof, expected)
}
