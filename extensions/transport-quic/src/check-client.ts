import type { RystraError } from '@rystra/plugin'
import { type ServerTls, tlsError } from '@rystra/tls'
import { X509Certificate } from 'node:crypto'
import type { Revocations } from './crl.js'
import type { QuicLink } from './link.js'

const refused = (code: string, where: string): RystraError =>
  tlsError(Object.assign(new Error(code), { code }), 'server', where)

/**
 * What BoringSSL has not looked at: the lists, and the dates of a certificate that came out of a ticket. Throws `tls.*`.
 * @returns DER of the certificate, if the client has shown one
 */
export const checkClient = (
  link: QuicLink,
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
