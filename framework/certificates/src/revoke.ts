import { X509Certificate, verify } from 'node:crypto'
import { type Authority, openAuthority } from './authority.js'
import {
  type Asn1,
  bytesOf,
  decode,
  enumerated,
  extension,
  extensionsOf,
  integer,
  partsOf,
  sequence,
  tagged,
  taggedBytes,
  time
} from './der.js'
import { invalid } from './invalid.js'
import type { KeyPair } from './issue.js'
import { oids } from './oids.js'
import { certificatesOf, crlsOf, derOf, toPem } from './pem.js'
import { signed } from './sign.js'

/** Why a certificate is revoked (RFC 5280 §5.3.1). Nothing is said of it without a reason. */
export const revocationReasons = {
  keyCompromise: 1,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9
} as const
export type RevocationReason = keyof typeof revocationReasons

/** A certificate that is to be trusted no more. */
export interface Revocation {
  /** PEM; the first certificate of it is meant. */
  readonly cert: string
  readonly reason?: RevocationReason
  /** @default now */
  readonly at?: Date
}

/** What an earlier list said. */
interface Earlier {
  readonly entries: readonly Asn1[]
  readonly number: bigint
}

const bigOf = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`)

const integerOf = (value: bigint): Asn1 => {
  const hex = value.toString(16)
  return integer(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
}

/** One element of DER and its header, from the start of `der`. */
const elementAt = (der: Buffer, offset: number): Buffer => {
  const first = der[offset + 1] ?? 0
  const more = first > 0x80 ? first & 0x7f : 0
  const length = more === 0 ? first : der.readUIntBE(offset + 2, more)
  return der.subarray(offset, offset + 2 + more + length)
}

const read = (pem: string, { certificate }: Authority): Earlier => {
  try {
    const der = derOf(crlsOf(pem)[0] ?? '')
    const [body, , signature] = partsOf(decode(der))
    const headerLength = (der[1] ?? 0) > 0x80 ? 2 + ((der[1] ?? 0) & 0x7f) : 2
    const hash = certificate.publicKey.asymmetricKeyType === 'ed25519' ? undefined : 'sha256'
    const good = verify(hash, elementAt(der, headerLength), certificate.publicKey, bytesOf(signature).subarray(1))
    if (!good) throw invalid('the revocation list was not signed by this authority')
    const parts = partsOf(body)
    const extensions = parts.find((one) => one.tagClass === 0x80)
    const number = extensionsOf(partsOf(extensions)[0]).get(oids.crlNumber)
    // version, algorithm, issuer, thisUpdate, nextUpdate?, revokedCertificates?
    const entries = parts.slice(3).find((one) => one.tagClass === 0 && one.type === 16)
    return { entries: partsOf(entries), number: number === undefined ? 0n : bigOf(bytesOf(number.value)) }
  } catch (error) {
    if ((error as { code?: unknown }).code === 'cert.invalid') throw error
    throw invalid(`the revocation list cannot be read: ${(error as Error).message}`)
  }
}

const entryOf = (revocation: Revocation | string, { certificate: issuer }: Authority): Asn1 => {
  const { cert, reason, at = new Date() } = typeof revocation === 'string' ? { cert: revocation } : revocation
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(certificatesOf(cert)[0] ?? '')
  } catch (cause) {
    throw invalid(`the certificate to revoke cannot be read: ${(cause as Error).message}`)
  }
  if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) {
    throw invalid('the certificate to revoke was not issued by this authority')
  }
  if (reason !== undefined && !Object.hasOwn(revocationReasons, reason)) {
    throw invalid(`no reason ${JSON.stringify(reason)}; there are ${Object.keys(revocationReasons).join(', ')}`)
  }
  const because =
    reason === undefined ? [] : [sequence(extension(oids.reasonCode, enumerated(revocationReasons[reason])))]
  return sequence(integerOf(BigInt(`0x${certificate.serialNumber}`)), time(at), ...because)
}

/**
 * A revocation list (X.509 CRL v2, RFC 5280 §5): all of `previous` and these certificates, with the next number.
 * It is good for as long as the authority: a list that runs out would lock out everybody. Rejects with `cert.invalid`.
 */
export const revoke = async (
  authority: KeyPair,
  certificates: readonly (Revocation | string)[],
  previous?: string
): Promise<string> => {
  const issuer = openAuthority(authority)
  const earlier = previous === undefined ? { entries: [], number: 0n } : read(previous, issuer)
  const entries = new Map(
    [...certificates.map((one) => entryOf(one, issuer)), ...earlier.entries].map((entry) => [
      bigOf(bytesOf(partsOf(entry)[0])),
      entry
    ])
  )
  const now = new Date(Math.floor(Date.now() / 1000) * 1000)
  const extensions = [
    ...(issuer.keyIdentifier === undefined
      ? []
      : [extension(oids.authorityKeyIdentifier, sequence(taggedBytes(0, issuer.keyIdentifier)))]),
    extension(oids.crlNumber, integerOf(earlier.number + 1n))
  ]
  const body = (algorithm: Asn1): Asn1 =>
    sequence(
      integer(Uint8Array.of(1)),
      algorithm,
      issuer.subject,
      time(now),
      time(new Date(issuer.certificate.validTo)),
      ...(entries.size === 0 ? [] : [sequence(...entries.values())]),
      tagged(0, sequence(...extensions))
    )
  return toPem('X509 CRL', await signed(body, issuer.key))
}
