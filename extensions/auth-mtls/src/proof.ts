import { type Challenge, challengeBytes } from '@rystra/plugin'
import { createHash, timingSafeEqual } from 'node:crypto'

/**
 * What a client sends. TLS has shown that it holds the key of its certificate, so there is nothing secret in it: it says
 * that the client means this session.
 */
export const makeProof = (challenge: Challenge): Buffer =>
  createHash('sha256').update('rystra mtls').update(challengeBytes(challenge)).digest()

export const checkProof = (proof: Uint8Array, challenge: Challenge): boolean => {
  const expected = makeProof(challenge)
  return proof.length === expected.length && timingSafeEqual(proof, expected)
}
