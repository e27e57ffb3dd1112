/** A certificate and its private key, PEM both. The certificate may be followed by its issuers. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/** What a certificate is to say. */
export interface CertificateOptions {
  /** Subject common name. */
  readonly commonName: string
  /** Subject alternative names: DNS names, IP addresses, `email:…`, `uri:…`. @default none */
  readonly names?: readonly string[]
  /** Days for which it is valid, from an hour ago on. @default 397; authorities 3650 */
  readonly days?: number
  /** Bits of the RSA key. @default 2048; authorities 3072 */
  readonly bits?: number
  /** For tests: when it begins to be valid. */
  readonly notBefore?: Date
}
