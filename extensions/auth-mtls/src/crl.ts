import { oidOf, readCrl, type RevocationList, signedOf } from '@rystra/tls'
import { verify, type X509Certificate } from 'node:crypto'

/** A revocation list with a valid signature. */
export interface CheckedList extends RevocationList {
  /** The issuer: the list covers the certificates of this authority. */
  readonly authority: X509Certificate
}

/** Hash by signature algorithm; `null` where the algorithm includes it. RFC 4055, RFC 5758, RFC 8410. */
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
 * Parses a revocation list, RFC 5280 section 5.1, and verifies its signature. Throws for malformed lists, unknown
 * issuers, and lists that cover only some certificates; the text is for the log.
 */
export const checkCrl = (der: Buffer, authorities: readonly X509Certificate[]): CheckedList => {
  const { body, algorithm, signature } = signedOf(der)
  const hash = hashes[oidOf(algorithm)]
  if (hash === undefined) throw new Error(`unsupported signature algorithm ${oidOf(algorithm)}`)
  const authority = authorities.find(({ publicKey }) => {
    try {
      return verify(hash, body.raw, publicKey, signature)
    } catch {
      return false
    }
  })
  if (authority === undefined) throw new Error('not signed by an authority in ca')
  const list = readCrl(body)
  if (list.critical !== undefined) throw new Error(`unsupported critical extension ${list.critical}`)
  return { ...list, authority }
}
