import { hostText } from '@rystra/address'
import { type Static, Type } from '@rystra/plugin'
import { baseDomain, hostPattern, proxyProtocolFrom } from '@rystra/net'

const address = (port: number) =>
  Type.Object(
    {
      host: Type.String({ ...hostText, default: '0.0.0.0' }),
      port: Type.Integer({ default: port, minimum: 0, maximum: 65_535 }),
      proxyProtocolFrom
    },
    { additionalProperties: false }
  )

const certificate = Type.Object(
  {
    hosts: Type.Optional(
      Type.Array(Type.String({ title: 'a host such as app.example.org or *.example.org', pattern: hostPattern }), {
        minItems: 1,
        maxItems: 1024
      })
    ),
    cert: Type.Optional(Type.String({ minLength: 1 })),
    key: Type.Optional(Type.String({ minLength: 1, secret: false }))
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
      description: 'Seconds for which browsers use https only. Default: 63072000, two years.'
    }),
    includeSubDomains: Type.Boolean({
      default: false,
      description: 'Whether it also applies to all subdomains of the host. Default: false.'
    }),
    preload: Type.Boolean({
      default: false,
      description: 'Whether the host may be added to the preload lists of browsers. Default: false.'
    })
  },
  { additionalProperties: false, description: 'Content of Strict-Transport-Security, RFC 6797. Default: not sent.' }
)
export type Hsts = Static<typeof hsts>

/** Options of the extension. All are the server's. */
export const HttpsOptions = Type.Object({
  listen: Type.Array(address(8443), {
    default: [{ host: '0.0.0.0', port: 8443 }],
    minItems: 1,
    description: 'Addresses to bind for visitors. Default: port 8443 on 0.0.0.0.'
  }),
  publicPort: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 65_535,
      description: 'Port that visitors use, if another proxy forwards to `listen`. Default: that of the first `listen`.'
    })
  ),
  baseDomain,
  certificates: Type.Array(certificate, {
    default: [],
    maxItems: 1024,
    description:
      'Certificates of hosts whose TLS the server terminates; their requests go to the proxies of kind http: the PEM files `cert` and `key`, and `hosts` if they differ from those of the certificate. Without files a self-signed one is made for `hosts`. Default: none.'
  }),
  minVersion: Type.Union([Type.Literal('1.2'), Type.Literal('1.3')], {
    default: '1.2',
    description: 'Minimum version of TLS that the server terminates. Default: 1.2.'
  }),
  http2: Type.Boolean({
    default: true,
    description: 'Whether HTTP/2 is offered where the server terminates TLS. Default: true.'
  }),
  redirect: Type.Boolean({
    default: false,
    description: 'Whether requests without TLS are redirected (308) if their host is served with https. Default: false.'
  }),
  redirectFrom: Type.Array(address(8080), {
    default: [],
    description:
      'Additional addresses without TLS that redirect all requests for hosts served with https. Default: none.'
  }),
  hsts: Type.Optional(hsts),
  defaultHost: Type.Optional(
    Type.String({
      title: 'a host such as app.example.org',
      pattern: '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}$',
      description: 'Host used for connections without SNI. Default: such connections are rejected.'
    })
  ),
  hosts: Type.Array(
    Type.Object({ identity: Type.String(), hosts: Type.Array(Type.String()) }, { additionalProperties: false }),
    {
      default: [],
      description:
        'Hosts that an identity may publish; both are patterns with `*` as in `*.example.org`. Default: an empty list, any identity may publish any host, except hosts of `certificates` and wildcards that cover the base domain.'
    }
  ),
  handshakeTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    maximum: 600_000,
    description:
      'Milliseconds for the ClientHello to arrive and, where the server terminates TLS, for the handshake to complete. Default: 10000.'
  }),
  handshakes: Type.Integer({
    default: 1024,
    minimum: 1,
    description:
      'Maximum number of connections whose handshake is not complete; one more closes the oldest. Default: 1024.'
  })
})
export type HttpsOptions = Static<typeof HttpsOptions>
