import { crlsIn, inside, readCrl, type RevocationList, serialOf, signedOf, Tag } from '@rystra/tls'

/** What is wrong with a certificate by the lists, as Node names it. */
export type Revocation = 'CERT_REVOKED' | 'UNABLE_TO_GET_CRL' | 'CRL_HAS_EXPIRED'

/** Revocation lists, PEM. quiche has no way to give them to BoringSSL, so they are read here. */
export class Revocations {
  readonly #lists: readonly RevocationList[]

  /** The file is the administrator's: signatures are not looked at. Throws on what is no list. */
  constructor(pem: string) {
    this.#lists = crlsIn(Buffer.from(pem)).map((der) => readCrl(signedOf(der).body))
  }

  /** @param certificate DER. Who is on no list must be on none that counts: without one nobody is let in. */
  check(certificate: Uint8Array, now = Date.now()): Revocation | undefined {
    const fields = inside(signedOf(certificate).body)
    fields.optional(0xa0)
    const serial = serialOf(fields.take(Tag.integer))
    fields.take(Tag.sequence)
    const issuer = fields.take(Tag.sequence).content
    const lists = this.#lists.filter((list) => list.issuer.equals(issuer))
    if (lists.some(({ serials }) => serials.has(serial))) return 'CERT_REVOKED'
    // One that says of itself that it is about part of the certificates, or of the changes, clears nobody.
    const whole = lists.filter(({ critical }) => critical === undefined)
    if (whole.length === 0) return 'UNABLE_TO_GET_CRL'
    return whole.some(({ nextUpdate }) => nextUpdate > now) ? undefined : 'CRL_HAS_EXPIRED'
  }
}
