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
    maxAge: Type.Integer({ default: 63_072_000, minimum: 0, description: 'Seconds for which browsers keep to https.' }),
    includeSubDomains: Type.Boolean({ default: false, description: 'Whether it is for all hosts below as well.' }),
    preload: Type.Boolean({ default: false, description: 'Whether browsers may have it built in.' })
  },
  { additionalProperties: false, description: 'What Strict-Transport-Security says, RFC 6797. Left out: not sent.' }
)
export type Hsts = Static<typeof hsts>

/** Options of the extension. All are the server's. */
export const HttpsOptions = Type.Object({
  listen: Type.Array(address(8443), {
    default: [{ host: '0.0.0.0', port: 8443 }],
    minItems: 1,
    description: 'Where visitors come in.'
  }),
  publicPort: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_535,
      description:
        'The port that visitors use, where something in front forwards to `listen`. Default: that of the first `listen`.'
    })
  ),
  baseDomain: Type.String({
    default: 'localhost',
    pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$',
    description: 'What `subdomain` of a proxy is put in front of. Names under `localhost` need no DNS.'
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
  http2: Type.Boolean({ default: true, description: 'Whether HTTP/2 is offered where TLS ends here.' }),
  redirect: Type.Boolean({
    default: false,
    description:
      'Whether requests that came to the kind http without TLS are sent to https, 308, where it serves their host.'
  }),
  redirectFrom: Type.Array(address(8080), {
    default: [],
    description:
      'Ports without TLS, beside those of the kind http, on which all requests for hosts served here are sent to https.'
  }),
  hsts: Type.Optional(hsts),
  defaultHost: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}$',
      description: 'Whom those are taken to want who name nobody (no SNI). Left out: they are turned away.'
    })
  ),
  hosts: Type.Array(
    Type.Object({ identity: Type.String(), hosts: Type.Array(Type.String()) }, { additionalProperties: false }),
    {
      default: [],
      description:
        'Who may pass through which hosts; both with `*` as in `*.example.org`. Empty: everybody any host, except what a certificate here is for, and wildcards that have the base domain in them.'
    }
  ),
  handshakeTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    maximum: 600_000,
    description:
      'Milliseconds from the connection until it is known whom it is for and, where TLS ends here, the handshake is done.'
  }),
  handshakes: Type.Integer({
    default: 1024,
    minimum: 1,
    description: 'Connections that are not that far at one time; one more closes the oldest.'
  })
})
export type HttpsOptions = Static<typeof HttpsOptions>
