import type { Challenge } from '@rystra/plugin'
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { ID_LENGTH, type TokenKeys } from './keys.js'

const MAC_LENGTH = 32

/** Bytes of a proof: the id of the token, then HMAC-SHA256. */
export const PROOF_LENGTH = ID_LENGTH + MAC_LENGTH

/**
 * What a proof is over. Every field has its length in front, so that no two challenges give the same bytes, and a
 * missing binding differs from an empty one: a proof made on a link without TLS holds on no link with TLS.
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

/** What a client sends. */
export const makeProof = (keys: TokenKeys, challenge: Challenge): Buffer =>
  Buffer.concat([keys.id, mac(keys.proof, challenge)])

/** The id in a proof, or `undefined` when it is not a proof at all. */
export const proofId = (proof: Uint8Array): Buffer | undefined =>
  proof.length === PROOF_LENGTH ? Buffer.from(proof.buffer, proof.byteOffset, ID_LENGTH) : undefined

/** Whether a proof of the right length holds. Takes the same time whatever is wrong with it. */
export const checkProof = (keys: TokenKeys, challenge: Challenge, proof: Uint8Array): boolean =>
  timingSafeEqual(mac(keys.proof, challenge), proof.subarray(ID_LENGTH))

/** What a server answers with, to show that it knows the token as well. */
export const makeConfirm = (keys: TokenKeys, challenge: Challenge): Buffer => mac(keys.confirm, challenge)

/** The secret of the session, 32 bytes, which never crosses the wire. RFC 5869. */
export const makeSecret = (keys: TokenKeys, challenge: Challenge): Buffer =>
  Buffer.from(hkdfSync('sha256', keys.session, challenge.transcript, bound(challenge), 32))
