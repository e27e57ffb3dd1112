import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

/**
 * AES-128-GCM first: with the instructions that all but small processors have it is the fastest, and strong enough. Of
 * TLS 1.2 only what has forward secrecy and authenticates what it encrypts (RFC 9325 §4.2).
 */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305'
].join(':')

/** Versions and suites, the same on both ends. */
export const suites = (minVersion: '1.2' | '1.3' = '1.3') =>
  ({
    minVersion: `TLSv${minVersion}`,
    maxVersion: 'TLSv1.3',
    ciphers,
    honorCipherOrder: true,
    // Nothing here needs it, and it lets a peer make work.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION
  }) as const satisfies SecureContextOptions
