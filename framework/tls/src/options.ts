import { type Clock, type Logger, type Static, Type } from '@rystra/plugin'
import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'

const file = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

const keyFile = Type.Optional(
  Type.String({
    minLength: 1,
    secret: false,
    description: 'PEM file with the private key of `cert`. Default: none.'
  })
)

const minVersion = Type.Optional(
  Type.Union([Type.Literal('1.2'), Type.Literal('1.3')], {
    default: '1.3',
    description: 'Oldest accepted TLS version. Default: 1.3.'
  })
)

/** Fields of a `server.listen` entry of every transport with TLS: spread them into its `listenOptions`. Paths are relative to the configuration. */
export const serverTlsFields = {
  cert: file(
    'PEM file with the certificate and its issuers. Default: a self-signed certificate, which is created once and kept.'
  ),
  key: keyFile,
  clientCa: file('PEM file with the authorities whose client certificates are accepted. Default: none.'),
  clientCert: Type.Optional(
    Type.Union([Type.Literal('none'), Type.Literal('optional'), Type.Literal('required')], {
      description:
        'Whether a certificate is requested from clients. Default: `optional` with `clientCa`, otherwise `none`.'
    })
  ),
  crl: file('PEM file with the revocation lists of `clientCa`. Default: no revocation check.'),
  minVersion
}
const ServerTlsOptions = Type.Object(serverTlsFields)
export type ServerTlsOptions = Static<typeof ServerTlsOptions>

/** Fields of `client.connect` of every transport with TLS: spread them into its `dialOptions`. Paths are relative to the configuration. */
export const clientTlsFields = {
  ca: file('PEM file with the authorities trusted to sign the certificate of the server. Default: those of Node.'),
  fingerprint: Type.Optional(
    Type.String({
      title: 'a SHA-256 fingerprint, 64 hexadecimal digits such as sha256:9f86…0a08',
      pattern: '^(sha256:)?([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$',
      description:
        'SHA-256 fingerprint of the certificate of the server: only this certificate is trusted, whatever its issuer. Default: none.'
    })
  ),
  serverName: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'Server name for SNI and for the verification of the certificate. Default: `host`.'
    })
  ),
  cert: file('PEM file with the certificate of this client and its issuers. Default: none.'),
  key: keyFile,
  minVersion
}
const ClientTlsOptions = Type.Object(clientTlsFields)
export type ClientTlsOptions = Static<typeof ClientTlsOptions>

/** The part of the extension's context that TLS uses. */
export interface TlsHost {
  readonly dir: string
  readonly stateDir: string
  readonly log: Logger
  readonly clock: Clock
}

/**
 * AES-128-GCM first: it is the fastest with AES instructions, and strong enough. For TLS 1.2 only suites with forward
 * secrecy and authenticated encryption (RFC 9325 section 4.2).
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

/** Versions and cipher suites of both ends. */
export const suites = (minVersion: '1.2' | '1.3' = '1.3') =>
  ({
    minVersion: `TLSv${minVersion}`,
    maxVersion: 'TLSv1.3',
    ciphers,
    honorCipherOrder: true,
    // Renegotiation is unused, and lets a peer cause work.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION
  }) as const satisfies SecureContextOptions
