import type { EventError } from './events.js'

/** A certificate with its issuers, and its private key, both PEM. */
export interface CertificatePair {
  readonly cert: string
  readonly key: string
}

/** The certificate of one host, as people see it. */
export interface CertificateInfo {
  readonly host: string
  /** Name of the source. */
  readonly source: string
  /** `waiting`: not ordered yet. `failed`: the last order failed; a certificate from before stays in use. */
  readonly state: 'waiting' | 'ordering' | 'valid' | 'failed'
  /** End of the certificate in use, in milliseconds since the epoch. Absent without one. */
  readonly expires?: number
  /** When it is ordered, or ordered again, in milliseconds since the epoch. Absent while that is not known. */
  readonly next?: number
  /** Why the last order failed. */
  readonly error?: EventError
}

/**
 * Provides certificates for hosts whose TLS ends at the server, and answers the challenges by which an authority checks
 * them. Kinds ask it for each connection, so nothing here may wait. `registries.certificateSources`
 */
export interface CertificateSource {
  readonly name: string
  /** Whether the certificates of this host come from here. Hosts are in lower case, without a dot at the end. */
  serves(host: string): boolean
  /** The one in use, the same object until another replaces it. `undefined`: not there yet. */
  certificate(host: string): CertificatePair | undefined
  /** The key authorization of a token, RFC 8555 §8.3, while an order waits for it. */
  httpChallenge(host: string, token: string): string | undefined
  /** The certificate for `acme-tls/1`, RFC 8737 §3, while an order waits for it. */
  tlsChallenge(host: string): CertificatePair | undefined
  /** Every host that it serves. */
  list(): Iterable<CertificateInfo>
}
