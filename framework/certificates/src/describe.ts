import { createHash, X509Certificate } from 'node:crypto'

/** SHA-256 over the DER of a certificate, as it is pinned: `sha256:` and 64 lower-case hex digits. */
export const fingerprintOf = (certificate: X509Certificate | Uint8Array | string): string => {
  const raw = certificate instanceof Uint8Array ? certificate : new X509Certificate(certificate as string).raw
  return `sha256:${createHash('sha256').update(raw).digest('hex')}`
}
