import type { Challenge } from '@rystra/plugin'
import { createHash, timingSafeEqual } from 'node:crypto'

/**
 * What a client sends. TLS has shown that it holds the key of its certificate, so there is nothing secret in it: it says
 * that the client means this session. Every field has its length in front; a missing binding differs from an empty one.
 */
export const makeProof = ({ transcript, clientId, binding }: Challenge): Buffer => {
  const hash = createHash('sha256').update('rystra mtls')
  for (const field of [
    transcript,
    Buffer.from(clientId, 'utf8'),
    Uint8Array.of(binding === undefined ? 0 : 1),
    binding
  ]) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(field?.length ?? 0)
    hash.update(length).update(field ?? '')
  }
  return hash.digest()
}

export const checkProof = (proof: Uint8Array, challenge: Challenge): boolean => {
  const expected = makeProof(challenge)
  return proof.length === expected.length && timingSafeEqual(proof, expected)
}
