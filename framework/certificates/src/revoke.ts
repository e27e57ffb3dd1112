import { X509Certificate, verify } from 'node:crypto'
import { type Authority, openAuthority } from './authority.js'
import { bigOf, type ParsedCrl, parseCrl, type RevocationReason, revocationReasons } from './crl.js'
import {
  type Asn1,
  bytesOf,
  enumerated,
  extension,
  integer,
  partsOf,
  sequence,
  tagged,
  taggedBytes,
  time
} from './der.js'
import { invalid } from './invalid.js'
import type { KeyPair } from './pem.js'
import { oids } from './oids.js'
import { certificatesOf, crlsOf, derOf, toPem } from './pem.js'
import { signed } from './sign.js'

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

const integerOf = (value: bigint): Asn1 => {
  const hex = value.toString(16)
  return integer(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
}

const read = (pem: string, { certificate }: Authority): Earlier => {
  let crl: ParsedCrl
  try {
    crl = parseCrl(derOf(crlsOf(pem)[0] ?? ''))
  } catch (cause) {
    throw invalid(`the revocation list so far cannot be read: ${(cause as Error).message}`)
  }
  const hash = certificate.publicKey.asymmetricKeyType === 'ed25519' ? undefined : 'sha256'
  if (!verify(hash, crl.signed, certificate.publicKey, crl.signature)) {
    throw invalid('the revocation list so far was not signed by this authority')
  }
  return { entries: crl.entries, number: crl.number ?? 0n }
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
 * It is good for as long as the authority: an expired list refuses every client. Rejects with `cert.invalid`.
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
