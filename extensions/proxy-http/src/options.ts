import { type Static, Type } from '@rystra/plugin'

const milliseconds = (value: number, description: string) =>
  Type.Integer({ default: value, minimum: 10, maximum: 86_400_000, description })

/** Status codes and classes that a page may be given for. */
export const pageKey = '^([45][0-9]{2}|[45]xx)$'

/** Options of the extension. All are the server's. */
export const HttpOptions = Type.Object({
  listen: Type.Array(
    Type.Object(
      {
        host: Type.String({ default: '0.0.0.0', minLength: 1, description: 'The address to bind.' }),
        port: Type.Integer({ default: 8080, minimum: 0, maximum: 65_535, description: '0: any that is free.' })
      },
      { additionalProperties: false }
    ),
    {
      default: [{ host: '0.0.0.0', port: 8080 }],
      description: 'Where visitors come in. Empty: nowhere but through the kind https.'
    }
  ),
  baseDomain: Type.String({
    default: 'localhost',
    pattern: '^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$',
    description: 'What `subdomain` of a proxy is put in front of. Names under `localhost` need no DNS.'
  }),
  public: Type.Optional(
    Type.Object(
      {
        scheme: Type.Optional(
          Type.Union([Type.Literal('http'), Type.Literal('https')], {
            default: 'http',
            description: 'What visitors speak to what stands in front.'
          })
        ),
        port: Type.Optional(
          Type.Integer({
            minimum: 1,
            maximum: 65_535,
            description: 'Default: that of the scheme, or of the first `listen`.'
          })
        )
      },
      {
        additionalProperties: false,
        description:
          'What the addresses told to clients are made of, where something stands in front: `{ scheme: https }`.'
      }
    )
  ),
  hosts: Type.Array(
    Type.Object(
      {
        identity: Type.String({ description: 'Whose: `*` is everybody.' }),
        hosts: Type.Array(Type.String(), { description: 'Which.' })
      },
      { additionalProperties: false }
    ),
    {
      default: [],
      description:
        'Who may publish under which hosts; both with `*` as in `*.example.org`. Empty: everybody under any host, except with a wildcard that has the base domain in it.'
    }
  ),
  trustedProxies: Type.Array(Type.String(), {
    default: [],
    description: 'Addresses and networks whose Forwarded and X-Forwarded-* are believed: 10.0.0.0/8.'
  }),
  maxHeadSize: Type.Integer({
    default: 32_768,
    minimum: 1024,
    maximum: 1_048_576,
    description: 'Bytes of a head, of requests and responses.'
  }),
  maxHeaders: Type.Integer({ default: 128, minimum: 8, maximum: 2000, description: 'Fields of a head.' }),
  maxConnections: Type.Integer({ default: 16_384, minimum: 1, description: 'Connections of visitors at once.' }),
  headTimeout: milliseconds(15_000, 'Milliseconds for a head to come.'),
  keepAliveTimeout: milliseconds(75_000, 'Milliseconds a connection may wait for its next request.'),
  answerTimeout: milliseconds(60_000, 'Milliseconds for a service to begin its answer.'),
  bodyTimeout: milliseconds(300_000, 'Milliseconds in which some of a body has to come or go.'),
  http2: Type.Boolean({ default: true, description: 'Whether visitors may speak HTTP/2.' }),
  maxConcurrentStreams: Type.Integer({
    default: 128,
    minimum: 1,
    maximum: 65_535,
    description: 'Requests at once on one HTTP/2 connection.'
  }),
  errorPages: Type.Record(Type.String({ pattern: pageKey }), Type.String(), {
    additionalProperties: false,
    default: {},
    description: 'HTML of pages by status, `404` or `5xx`: the text itself, or the path of a file.'
  })
})
export type HttpOptions = Static<typeof HttpOptions>
