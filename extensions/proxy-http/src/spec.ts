import { endpointField, localForms } from '@rystra/address'
import { hostFields } from '@rystra/net'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'
import { pageKey, timeLimits } from './options.js'

const TOKEN = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$"
const FIELD_NAME = 'a header name such as X-Request-Id'

/** Visible characters, blanks and tabs: nothing that could end a field. */
const VALUE = '^[\\t\\x20-\\x7e\\x80-\\xff]{0,4096}$'

const fields = Type.Record(
  Type.String({ pattern: TOKEN }),
  Type.String({ title: 'a header value of printable characters', pattern: VALUE }),
  {
    title: 'header names such as X-Request-Id',
    additionalProperties: false
  }
)

const changes = (of: string) =>
  Type.Optional(
    Type.Object(
      {
        set: Type.Optional(fields),
        add: Type.Optional(fields),
        remove: Type.Optional(Type.Array(Type.String({ title: FIELD_NAME, pattern: TOKEN }), { maxItems: 64 }))
      },
      {
        additionalProperties: false,
        description: `Changes of the header fields of each ${of}: \`remove\` first, then \`set\`, which replaces fields, then \`add\`. Default: none.`
      }
    )
  )

const account = Type.Object(
  {
    user: Type.String({
      title: 'a user name of 1 to 256 characters without a colon',
      pattern: '^[^:\\x00-\\x1f\\x7f]{1,256}$'
    }),
    password: Type.Optional(Type.String({ minLength: 1, maxLength: 1024, secret: true })),
    hash: Type.Optional(
      Type.String({ title: 'a hash of 43 characters of base64url', pattern: '^[A-Za-z0-9_-]{43}$', secret: true })
    )
  },
  { additionalProperties: false }
)

/** The fields of an `http` proxy beside those common to all kinds. */
export const HttpSpec = Type.Object({
  local: endpointField(
    localForms,
    'The service: `host:port`, a port of this machine, `unix:/path`, or `handler:name`.'
  ),
  ...hostFields,
  path: Type.Optional(
    Type.String({
      title: 'a path that begins with /, without ? and #, such as /api',
      pattern: '^/[\\x21\\x22\\x24-\\x3e\\x40-\\x7e]*$',
      maxLength: 1024,
      description:
        'Path prefix of the requests; of several proxies the one with the longest matching prefix gets a request. Default: `/`.'
    })
  ),
  stripPrefix: Type.Optional(
    Type.Boolean({ description: 'Whether `path` is removed from requests to the service. Default: false.' })
  ),
  hostHeader: Type.Optional(
    Type.String({
      title: 'a host, with or without a port, such as localhost:3000',
      pattern: '^[A-Za-z0-9._:\\[\\]-]{1,255}$',
      description: 'Host header of requests to the service. Default: the one that the visitor sent.'
    })
  ),
  requestHeaders: changes('request'),
  responseHeaders: changes('response'),
  basicAuth: Type.Optional(
    Type.Union([account, Type.Array(account, { minItems: 1, maxItems: 64 })], {
      description:
        'Accounts of basic authentication, `{ user, password }`, one or a list. The server gets hashes only. Default: no authentication.'
    })
  ),
  errorPages: Type.Optional(
    Type.Record(Type.String({ pattern: pageKey }), Type.String({ maxLength: 16_384 }), {
      title: 'statuses such as 502, or 5xx',
      additionalProperties: false,
      description:
        'HTML of error pages by status, `502` or `5xx`: the text itself, or the path of a file on the client. Default: the pages of the server.'
    })
  ),
  h2: Type.Optional(
    Type.Boolean({
      description:
        'Whether the service speaks HTTP/2 without TLS (h2c), on one connection for all visitors. Default: false.'
    })
  ),
  forwarded: Type.Optional(
    Type.Boolean({
      description: 'Whether the service gets the address of the visitor, in X-Forwarded-* and Forwarded. Default: true.'
    })
  ),
  answerTimeout: Type.Optional(
    Type.Integer({
      ...timeLimits,
      description: 'Milliseconds for the service to begin its response. Default: `answerTimeout` of the server.'
    })
  ),
  bodyTimeout: Type.Optional(
    Type.Integer({
      ...timeLimits,
      description: 'Milliseconds without progress after which a response is cut. Default: `bodyTimeout` of the server.'
    })
  ),
  reuse: Type.Optional(
    Type.Union([Type.Literal('all'), Type.Literal('visitor'), Type.Literal('never')], {
      description:
        'Which requests reuse a connection to the service: `all`, those of one `visitor` connection, or `never`. Default: `all`; `visitor` with proxyProtocol.'
    })
  )
})
export type HttpSpec = ProxySpec & Static<typeof HttpSpec>

/** Fields to set, add and remove. */
export type HeaderChanges = NonNullable<HttpSpec['requestHeaders']>
export type Account = Static<typeof account>
