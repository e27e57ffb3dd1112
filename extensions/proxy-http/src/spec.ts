import { endpointField, localForms } from '@rystra/address'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'
import { pageKey, timeLimits } from './options.js'

const HOST = '^(\\*\\.)?[^\\s/:*@?#\\[\\]]{1,253}$'
const TOKEN = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$"
/** Visible characters, blanks and tabs: nothing that could end a field. */
const VALUE = '^[\\t\\x20-\\x7e\\x80-\\xff]{0,4096}$'

const fields = Type.Record(Type.String({ pattern: TOKEN }), Type.String({ pattern: VALUE }), {
  additionalProperties: false
})

const changes = (of: string) =>
  Type.Optional(
    Type.Object(
      {
        set: Type.Optional(fields),
        add: Type.Optional(fields),
        remove: Type.Optional(Type.Array(Type.String({ pattern: TOKEN }), { maxItems: 64 }))
      },
      {
        additionalProperties: false,
        description: `Changes the head of each ${of}: \`remove\` first, then \`set\` in place of what is there, then \`add\`.`
      }
    )
  )

const account = Type.Object(
  {
    user: Type.String({ pattern: '^[^:\\x00-\\x1f\\x7f]{1,256}$' }),
    password: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    hash: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' }))
  },
  { additionalProperties: false }
)

/** The fields of an `http` proxy beside those common to all kinds. */
export const HttpSpec = Type.Object({
  local: endpointField(
    localForms,
    'The service: `host:port`, a port of this machine, `unix:/path`, or `handler:name`.'
  ),
  host: Type.Optional(
    Type.Union(
      [Type.String({ pattern: HOST }), Type.Array(Type.String({ pattern: HOST }), { minItems: 1, maxItems: 64 })],
      { description: 'The hosts it answers for: `app.example.org`, or `*.example.org` for all below it.' }
    )
  ),
  subdomain: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$',
      description: 'A host below `baseDomain` of the server. Default, without `host`: the name of the proxy.'
    })
  ),
  path: Type.Optional(
    Type.String({
      pattern: '^/[\\x21\\x22\\x24-\\x3e\\x40-\\x7e]*$',
      maxLength: 1024,
      description: 'Only requests at this path and below; the longest that fits is taken. Default: `/`.'
    })
  ),
  stripPrefix: Type.Optional(
    Type.Boolean({ description: 'Takes `path` off before the service sees it. Default: false.' })
  ),
  hostHeader: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._:\\[\\]-]{1,255}$',
      description: 'Host for the service. Default: as the visitor wrote it.'
    })
  ),
  requestHeaders: changes('request'),
  responseHeaders: changes('response'),
  basicAuth: Type.Optional(
    Type.Union([account, Type.Array(account, { minItems: 1, maxItems: 64 })], {
      description:
        'Accounts of basic authentication, `{ user, password }`, one or a list. The server gets hashes. Default: no password.'
    })
  ),
  errorPages: Type.Optional(
    Type.Record(Type.String({ pattern: pageKey }), Type.String({ maxLength: 16_384 }), {
      additionalProperties: false,
      description: 'HTML of pages by status, `502` or `5xx`: the text itself, or the path of a file at the client.'
    })
  ),
  h2: Type.Optional(
    Type.Boolean({
      description: 'The service uses HTTP/2 without TLS: one connection for all visitors. Default: false.'
    })
  ),
  forwarded: Type.Optional(
    Type.Boolean({
      description: 'Sends the address of the visitor to the service, in X-Forwarded-* and Forwarded. Default: true.'
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
        'Whose requests may share a connection to the service, one after the other. Default: `all`; with proxyProtocol `visitor`.'
    })
  )
})
export type HttpSpec = ProxySpec & Static<typeof HttpSpec>

/** Fields to set, add and remove. */
export type HeaderChanges = NonNullable<HttpSpec['requestHeaders']>
export type Account = Static<typeof account>
