import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { type Asn1, bytesOf, decode, extensionsOf, partsOf } from './der.js'
import { invalid } from './invalid.js'
import { oids } from './oids.js'
import { certificatesOf, type KeyPair } from './pem.js'

/** An authority that is about to sign. */
export interface Authority {
  readonly certificate: X509Certificate
  readonly key: KeyObject
  /** As it stands in the certificate, byte for byte: issuers are compared so. */
  readonly subject: Asn1
  readonly keyIdentifier: Buffer | undefined
  /** Its certificate and those of its issuers, PEM. */
  readonly chain: string
}

/** The parts of the part that is signed, without the version in front. */
const bodyOf = (certificate: X509Certificate): Asn1[] => {
  const [tbs] = partsOf(decode(certificate.raw))
  return partsOf(tbs).slice(1)
}

/** Reads an authority. Throws `cert.invalid`. */
export const openAuthority = ({ cert, key }: KeyPair): Authority => {
  const all = certificatesOf(cert)
  let certificate: X509Certificate
  let secret: KeyObject
  try {
    certificate = new X509Certificate(all[0] ?? '')
    secret = createPrivateKey(key)
  } catch (cause) {
    throw invalid(`certificate or key of the authority cannot be read: ${(cause as Error).message}`)
  }
  if (!certificate.ca) throw invalid('the certificate of the authority is not one of an authority')
  if (!certificate.checkPrivateKey(secret)) throw invalid('the key of the authority does not belong to its certificate')
  const [, , , , subject, , ...rest] = bodyOf(certificate)
  const identifier = extensionsOf(partsOf(rest.at(-1))[0]).get(oids.subjectKeyIdentifier)
  return {
    certificate,
    key: secret,
    subject: subject as Asn1,
    keyIdentifier: identifier === undefined ? undefined : bytesOf(identifier.value),
    chain: all.map((one) => `${one}\n`).join('')
  }
}
