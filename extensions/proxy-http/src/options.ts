import { hostText } from '@rystra/address'
import { baseDomain, proxyProtocolFrom } from '@rystra/net'
import { type Static, Type } from '@rystra/plugin'

/** Limits of timeouts, in milliseconds: up to a day. */
export const timeLimits = { minimum: 10, maximum: 86_400_000 } as const

const milliseconds = (value: number, description: string) =>
  Type.Integer({ default: value, ...timeLimits, description })

/** Status codes and classes that a page may be given for. */
export const pageKey = '^([45][0-9]{2}|[45]xx)$'

/** Options of the extension. All are the server's. */
export const HttpOptions = Type.Object({
  listen: Type.Array(
    Type.Object(
      {
        host: Type.String({ ...hostText, default: '0.0.0.0', description: 'Address to bind. Default: 0.0.0.0.' }),
        port: Type.Integer({
          default: 8080,
          minimum: 0,
          maximum: 65_535,
          description: 'Port to bind; 0 for any free port. Default: 8080.'
        }),
        proxyProtocolFrom
      },
      { additionalProperties: false }
    ),
    {
      default: [{ host: '0.0.0.0', port: 8080 }],
      description:
        'Addresses to bind for visitors. An empty list: only connections that the kind https accepts. Default: port 8080 on 0.0.0.0.'
    }
  ),
  baseDomain,
  public: Type.Optional(
    Type.Object(
      {
        scheme: Type.Optional(
          Type.Union([Type.Literal('http'), Type.Literal('https')], {
            default: 'http',
            description: 'Scheme of the addresses. Default: http.'
          })
        ),
        port: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: 65_535,
            description: 'Port of the addresses. Default: that of the scheme, or of the first `listen`.'
          })
        )
      },
      {
        additionalProperties: false,
        description:
          'Scheme and port of the addresses reported to clients, behind another proxy: `{ scheme: https }`. Default: those of `listen`.'
      }
    )
  ),
  hosts: Type.Array(
    Type.Object(
      {
        identity: Type.String({ description: 'Pattern of identities: `*` is any.' }),
        hosts: Type.Array(Type.String(), { description: 'Patterns of hosts.' })
      },
      { additionalProperties: false }
    ),
    {
      default: [],
      description:
        'Hosts that an identity may publish; both are patterns with `*` as in `*.example.org`. Default: an empty list, any identity may publish any host, except wildcards that cover the base domain.'
    }
  ),
  trustedProxies: Type.Array(Type.String(), {
    default: [],
    description:
      'Addresses and networks whose Forwarded and X-Forwarded-* fields are trusted, for example 10.0.0.0/8. Default: none.'
  }),
  maxHeadSize: Type.Integer({
    default: 32_768,
    minimum: 1024,
    maximum: 1_048_576,
    description: 'Maximum size of the header fields of a request or response, in bytes. Default: 32768.'
  }),
  maxHeaders: Type.Integer({
    default: 128,
    minimum: 8,
    maximum: 2000,
    description: 'Maximum number of header fields of a request or response. Default: 128.'
  }),
  maxConnections: Type.Integer({
    default: 16_384,
    minimum: 1,
    description: 'Maximum number of visitor connections. Default: 16384.'
  }),
  maxConnectionsPerAddress: Type.Integer({
    default: 2048,
    minimum: 1,
    description:
      'Maximum number of connections of one visitor address, for IPv6 of one /64 network. Trusted proxies have no such limit. Default: 2048.'
  }),
  maxRequestsPerAddress: Type.Integer({
    default: 1024,
    minimum: 1,
    description:
      'Maximum number of requests in flight of one visitor address, for IPv6 of one /64 network; a WebSocket counts while it is open. More are answered with 429. Default: 1024.'
  }),
  maxRequestsPerProxy: Type.Integer({
    default: 8192,
    minimum: 1,
    description: 'Maximum number of requests in flight to one proxy. More are answered with 503. Default: 8192.'
  }),
  headTimeout: milliseconds(15_000, 'Milliseconds for the head of a request to arrive. Default: 15000.'),
  keepAliveTimeout: milliseconds(
    75_000,
    'Milliseconds that a connection may be idle between requests. Default: 75000.'
  ),
  answerTimeout: milliseconds(
    60_000,
    'Milliseconds for a service to begin its response. A proxy can set its own `answerTimeout`. Default: 60000.'
  ),
  bodyTimeout: milliseconds(
    300_000,
    'Milliseconds without progress after which a response is cut. A proxy can set its own `bodyTimeout`. Default: 300000.'
  ),
  http2: Type.Boolean({ default: true, description: 'Whether HTTP/2 is accepted from visitors. Default: true.' }),
  maxConcurrentStreams: Type.Integer({
    default: 128,
    minimum: 1,
    maximum: 65_535,
    description: 'Maximum number of requests in flight on one HTTP/2 connection. Default: 128.'
  }),
  errorPages: Type.Record(Type.String({ pattern: pageKey }), Type.String(), {
    title: 'statuses such as 502, or 5xx',
    additionalProperties: false,
    default: {},
    description:
      'HTML of error pages by status, `404` or `5xx`: the text itself, or the path of a file. Default: built-in pages.'
  })
})
export type HttpOptions = Static<typeof HttpOptions>
