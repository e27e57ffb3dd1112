import type { RystraError } from '@rystra/plugin'
import {
  certificateError,
  crlsIn,
  inside,
  readCrl,
  type RevocationList,
  serialOf,
  type ServerTls,
  signedOf,
  Tag
} from '@rystra/tls'
import { X509Certificate } from 'node:crypto'
import type { HostedLink } from './link-host.js'

/** The revocation status of a certificate, by Node's code. */
export type Revocation = 'CERT_REVOKED' | 'UNABLE_TO_GET_CRL' | 'CRL_HAS_EXPIRED'

/** Revocation lists, PEM. quiche cannot pass them to BoringSSL, so they are checked here. */
export class Revocations {
  readonly #lists: readonly RevocationList[]

  /** Signatures are not verified: the file is the administrator's. Throws for malformed lists. */
  constructor(pem: string) {
    this.#lists = crlsIn(Buffer.from(pem)).map((der) => readCrl(signedOf(der).body))
  }

  /** A certificate without a valid list of its issuer is refused. @param certificate DER */
  check(certificate: Uint8Array, now = Date.now()): Revocation | undefined {
    const fields = inside(signedOf(certificate).body)
    fields.optional(0xa0)
    const serial = serialOf(fields.take(Tag.integer))
    fields.take(Tag.sequence)
    const issuer = fields.take(Tag.sequence).content
    const lists = this.#lists.filter((list) => list.issuer.equals(issuer))
    if (lists.some(({ serials }) => serials.has(serial))) return 'CERT_REVOKED'
    // A list with a critical extension covers only some certificates, or only changes.
    const whole = lists.filter(({ critical }) => critical === undefined)
    if (whole.length === 0) return 'UNABLE_TO_GET_CRL'
    return whole.some(({ nextUpdate }) => nextUpdate > now) ? undefined : 'CRL_HAS_EXPIRED'
  }
}

const refused = (code: string, where: string): RystraError => certificateError(code, 'server', where)

/**
 * Checks what BoringSSL does not: revocation, and the dates of a certificate from a session ticket. Throws `tls.*`.
 * @returns DER of the certificate, if the client presented one
 */
export const checkClient = (
  link: Pick<HostedLink, 'connection' | 'where'>,
  tls: ServerTls,
  revocations: Revocations | undefined
): Uint8Array | undefined => {
  if (tls.clientCert === 'none') return undefined
  const [der] = link.connection.peerCertChain() ?? []
  if (der === undefined) {
    if (tls.clientCert === 'required') throw refused('ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', link.where)
    return undefined
  }
  const leaf = new X509Certificate(der)
  const now = Date.now()
  if (now > Date.parse(leaf.validTo)) throw refused('CERT_HAS_EXPIRED', link.where)
  if (now < Date.parse(leaf.validFrom)) throw refused('CERT_NOT_YET_VALID', link.where)
  const revocation = revocations?.check(der, now)
  if (revocation !== undefined) throw refused(revocation, link.where)
  return der
}
