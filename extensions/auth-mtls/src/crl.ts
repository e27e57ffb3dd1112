import { oidOf, readCrl, type RevocationList, signedOf } from '@rystra/tls'
import { verify, type X509Certificate } from 'node:crypto'

/** A revocation list whose signature was checked. */
export interface CheckedList extends RevocationList {
  /** Who signed it: the list is about the certificates of this authority. */
  readonly authority: X509Certificate
}

/** Hash by the algorithm of the signature; `null` where the algorithm has its own. RFC 4055, RFC 5758, RFC 8410. */
const hashes: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null
}

/**
 * Reads a revocation list, RFC 5280 §5.1, and checks its signature with the key of one of the authorities.
 * Throws, in words for the log, for lists that are broken, that nobody of them signed, or that cover only some certificates.
 */
export const checkCrl = (der: Buffer, authorities: readonly X509Certificate[]): CheckedList => {
  const { body, algorithm, signature } = signedOf(der)
  const hash = hashes[oidOf(algorithm)]
  if (hash === undefined) throw new Error(`its signature is of a kind that is not taken: ${oidOf(algorithm)}`)
  const authority = authorities.find(({ publicKey }) => {
    try {
      return verify(hash, body.raw, publicKey, signature)
    } catch {
      return false
    }
  })
  if (authority === undefined) throw new Error('none of the authorities has signed it')
  const list = readCrl(body)
  if (list.critical !== undefined) throw new Error(`its critical extension ${list.critical} is not known here`)
  return { ...list, authority }
}
