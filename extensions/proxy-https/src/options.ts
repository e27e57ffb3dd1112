import { type Static, Type } from '@rystra/plugin'
import { hostPattern } from './spec.js'

const address = (port: number) =>
  Type.Object(
    {
      host: Type.String({ default: '0.0.0.0', minLength: 1 }),
      port: Type.Integer({ default: port, minimum: 0, maximum: 65_535 })
    },
    { additionalProperties: false }
  )

const certificate = Type.Object(
  {
    hosts: Type.Optional(Type.Array(Type.String({ pattern: hostPattern }), { minItems: 1, maxItems: 1024 })),
    cert: Type.Optional(Type.String({ minLength: 1 })),
    key: Type.Optional(Type.String({ minLength: 1 }))
  },
  { additionalProperties: false }
)
export type CertificateEntry = Static<typeof certificate>

const hsts = Type.Object(
  {
    /** Two years, what the preload list asks for. */
    maxAge: Type.Integer({
      default: 63_072_000,
      minimum: 0,
      description: 'Seconds for which browsers use https only.'
    }),
    includeSubDomains: Type.Boolean({ default: false, description: 'Includes all hosts below.' }),
    preload: Type.Boolean({ default: false, description: 'Allows the preload list of browsers.' })
  },
  { additionalProperties: false, description: 'Content of Strict-Transport-Security, RFC 6797. Default: not sent.' }
)
export type Hsts = Static<typeof hsts>

/** Options of the extension. All are the server's. */
export const HttpsOptions = Type.Object({
  listen: Type.Array(address(8443), {
    default: [{ host: '0.0.0.0', port: 8443 }],
    minItems: 1,
    description: 'Addresses for visitors.'
  }),
  publicPort: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_535,
      description:
        'Port that visitors use, where another proxy forwards to `listen`. Default: that of the first `listen`.'
    })
  ),
  baseDomain: Type.String({
    default: 'localhost',
    pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$',
    description: 'Domain to which `subdomain` of a proxy is prepended. Names under `localhost` need no DNS.'
  }),
  certificates: Type.Array(certificate, {
    default: [],
    maxItems: 1024,
    description:
      'Hosts whose TLS ends here, and whose requests go to the proxies of kind http: `{ cert, key }`, PEM files, and `hosts` where they are not those of the certificate. Without files a self-signed one is made for `hosts`.'
  }),
  minVersion: Type.Union([Type.Literal('1.2'), Type.Literal('1.3')], {
    default: '1.2',
    description: 'The oldest version of TLS that is accepted where it ends here.'
  }),
  http2: Type.Boolean({ default: true, description: 'Offers HTTP/2 where TLS ends here.' }),
  redirect: Type.Boolean({
    default: false,
    description: 'Redirects requests without TLS to https (308), where https serves their host.'
  }),
  redirectFrom: Type.Array(address(8080), {
    default: [],
    description:
      'More ports without TLS, on which all requests for hosts served here are redirected to https. Default: none.'
  }),
  hsts: Type.Optional(hsts),
  defaultHost: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}$',
      description: 'Host used for connections without SNI. Default: such connections are rejected.'
    })
  ),
  hosts: Type.Array(
    Type.Object({ identity: Type.String(), hosts: Type.Array(Type.String()) }, { additionalProperties: false }),
    {
      default: [],
      description:
        'Hosts that an identity may pass through; both with `*` as in `*.example.org`. Empty: any identity any host, except hosts of certificates here and wildcards that cover the base domain.'
    }
  ),
  handshakeTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    maximum: 600_000,
    description: 'Milliseconds for the ClientHello to arrive and, where TLS ends here, for the handshake to complete.'
  }),
  handshakes: Type.Integer({
    default: 1024,
    minimum: 1,
    description: 'Maximum number of connections whose handshake is not complete; one more closes the oldest.'
  })
})
export type HttpsOptions = Static<typeof HttpsOptions>
