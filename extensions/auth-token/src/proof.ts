import type { Challenge } from '@rystra/plugin'
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { ID_LENGTH, type TokenKeys } from './keys.js'

const MAC_LENGTH = 32

/** Size of a proof: token id and HMAC-SHA256. */
export const PROOF_LENGTH = ID_LENGTH + MAC_LENGTH

/**
 * The authenticated bytes of a challenge. Each field has its length in front, so that no two challenges give the same
 * bytes, and a missing binding differs from an empty one: a proof for a link without TLS is invalid on a link with TLS.
 */
const bound = ({ transcript, clientId, binding }: Challenge): Buffer => {
  const field = (bytes: Uint8Array): Buffer[] => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return [length, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)]
  }
  return Buffer.concat([
    ...field(transcript),
    ...field(Buffer.from(clientId, 'utf8')),
    Buffer.from([binding === undefined ? 0 : 1]),
    ...field(binding ?? Buffer.alloc(0))
  ])
}

const mac = (key: Buffer, challenge: Challenge): Buffer => createHmac('sha256', key).update(bound(challenge)).digest()

/** The proof of a client. */
export const makeProof = (keys: TokenKeys, challenge: Challenge): Buffer =>
  Buffer.concat([keys.id, mac(keys.proof, challenge)])

/** The token id of a proof; `undefined` for another length. */
export const proofId = (proof: Uint8Array): Buffer | undefined =>
  proof.length === PROOF_LENGTH ? Buffer.from(proof.buffer, proof.byteOffset, ID_LENGTH) : undefined

/** Whether a proof of the right length is valid. Takes constant time. */
export const checkProof = (keys: TokenKeys, challenge: Challenge, proof: Uint8Array): boolean =>
  timingSafeEqual(mac(keys.proof, challenge), proof.subarray(ID_LENGTH))

/** The confirmation of a server that it knows the token. */
export const makeConfirm = (keys: TokenKeys, challenge: Challenge): Buffer => mac(keys.confirm, challenge)

/** The session secret, 32 bytes, which never crosses the wire. RFC 5869. */
export const makeSecret = (keys: TokenKeys, challenge: Challenge): Buffer =>
  Buffer.from(hkdfSync('sha256', keys.session, challenge.transcript, bound(challenge), 32))
