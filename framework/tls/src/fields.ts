import { type Static, Type } from '@rystra/plugin'

const file = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

const minVersion = Type.Optional(
  Type.Union([Type.Literal('1.2'), Type.Literal('1.3')], {
    default: '1.3',
    description: 'The oldest version of TLS that is accepted.'
  })
)

/** Fields of a `server.listen` entry of every transport with TLS: spread them into its `listenOptions`. Paths are relative to the configuration. */
export const serverTlsFields = {
  cert: file('PEM file with the certificate and its issuers. Without it a self-signed one is made and kept.'),
  key: file('PEM file with the private key of `cert`.'),
  clientCa: file('PEM file with the authorities whose client certificates are accepted.'),
  clientCert: Type.Optional(
    Type.Union([Type.Literal('none'), Type.Literal('optional'), Type.Literal('required')], {
      description: 'Whether clients are asked for a certificate. Default: `optional` with `clientCa`, otherwise `none`.'
    })
  ),
  crl: file('PEM file with the revocation lists of `clientCa`.'),
  minVersion
}
const ServerTlsOptions = Type.Object(serverTlsFields)
export type ServerTlsOptions = Static<typeof ServerTlsOptions>

/** Fields of `client.connect` of every transport with TLS: spread them into its `dialOptions`. Paths are relative to the configuration. */
export const clientTlsFields = {
  ca: file('PEM file with the authorities that may have signed the certificate of the server. Default: those of Node.'),
  fingerprint: Type.Optional(
    Type.String({
      pattern: '^(sha256:)?([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}$',
      description: 'SHA-256 of the certificate of the server: it and no other is trusted, whoever signed it.'
    })
  ),
  serverName: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'The name that is asked for and has to be in the certificate. Default: `host`.'
    })
  ),
  cert: file('PEM file with the certificate of this client and its issuers.'),
  key: file('PEM file with the private key of `cert`.'),
  minVersion
}
const ClientTlsOptions = Type.Object(clientTlsFields)
export type ClientTlsOptions = Static<typeof ClientTlsOptions>
