/** A certificate and its private key, PEM both (PKCS#8). The certificate may be followed by its issuers. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

const block = (label: string): RegExp => new RegExp(`-----BEGIN ${label}-----[^-]*-----END ${label}-----`, 'g')

/** Blocks of one file that are read; the rest is ignored. */
const mostBlocks = 1000

/** Every certificate of a PEM text, in its order. */
export const certificatesOf = (pem: string): string[] =>
  (pem.match(block('(?:X509 |TRUSTED )?CERTIFICATE')) ?? []).slice(0, mostBlocks)

/** Every revocation list of a PEM text, in its order. */
export const crlsOf = (pem: string): string[] => (pem.match(block('X509 CRL')) ?? []).slice(0, mostBlocks)

/** The DER of the first block. */
export const derOf = (pem: string): Buffer => Buffer.from(pem.replaceAll(/-----[^-]*-----/g, ''), 'base64')

/** RFC 7468: lines of 64 characters. */
export const toPem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der)
    .toString('base64')
    .replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`
