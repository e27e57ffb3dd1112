import { Type } from '@sinclair/typebox'
import { bytesSchema } from './bytes.js'
import { durationSchema } from './duration.js'
import { defaulted, open, resolved } from './schema.js'
import { word } from './words.js'

/** Ten years: who means longer means for ever. */
const longest = 3650 * 86_400_000

type Policy = (typeof policies)[number]
const policies = ['round-robin', 'least-connections', 'random', 'sticky'] as const

const groupSchema = resolved<string | { name: string; policy?: Policy }, { name: string; policy: Policy }>(
  `a name, or { name, policy } with a policy of ${policies.join(', ')}`,
  {
    description:
      'Clients of one identity whose proxies name the same group share its port, host or name. `sticky` sends an address to the same member each time. Default: no group.',
    anyOf: [
      { type: 'string', minLength: 1, maxLength: 128 },
      {
        type: 'object',
        properties: { name: { type: 'string', minLength: 1, maxLength: 128 }, policy: { enum: [...policies] } },
        required: ['name'],
        additionalProperties: false
      }
    ]
  },
  (value) => {
    const {
      name,
      policy = 'round-robin',
      ...others
    } = typeof value === 'string' ? { name: value } : ((value ?? {}) as Record<string, unknown>)
    const named = typeof name === 'string' && name.length > 0 && name.length <= 128
    if (named && policies.includes(policy as 'random') && Object.keys(others).length === 0)
      return { name, policy: policy as Policy }
    throw new RangeError('expected a name, or { name, policy }')
  }
)

const healthCheckSchema = Type.Object(
  {
    type: defaulted(
      Type.Union([Type.Literal('tcp'), Type.Literal('http')]),
      'tcp',
      '`tcp`: it can be connected to. `http`: a GET of `path` answers with a status from 200 to 399.'
    ),
    path: defaulted(Type.String({ pattern: '^/[\\x21-\\x7e]*$' }), '/', 'What `http` asks for.'),
    interval: defaulted(durationSchema(100), 10_000, 'Between two checks.'),
    timeout: defaulted(durationSchema(50), 3000, 'After which a check has failed.'),
    failures: defaulted(Type.Integer({ minimum: 1 }), 3, 'Failed checks in a row that take the member out.'),
    successes: defaulted(Type.Integer({ minimum: 1 }), 1, 'Good checks in a row that bring it back.')
  },
  {
    description:
      'The client checks the service; while it is down the server sends no visitors there. Default: no check.'
  }
)

/** Schema of {@link ForwardEntry}: what every kind has. */
export const forwardSchema = open(
  Type.Object({
    name: word('Unique among the forwards of the client.'),
    kind: defaulted(word('Name of a registered kind that can be visited.'), 'private')
  })
)

/** Schema of {@link ProxyEntry}: what every kind of proxy has. */
export const proxySchema = open(
  Type.Object({
    name: word('Unique within the client.'),
    kind: word('Name of a registered kind: `tcp`.'),
    expiresIn: Type.Optional(durationSchema(1000, 'After which the proxy is taken back. Default: never.', longest)),
    idleTimeout: Type.Optional(
      durationSchema(1000, 'A stream on which nothing goes either way for so long is reset. Default: never.')
    ),
    bandwidth: Type.Optional(bytesSchema('Bytes a second of all its streams together, each way. Default: no limit.')),
    maxConnections: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Streams at once; further visitors are refused. Default: no limit.' })
    ),
    group: Type.Optional(groupSchema),
    healthCheck: Type.Optional(healthCheckSchema),
    proxyProtocol: Type.Optional(
      Type.Union([Type.Literal('v1'), Type.Literal('v2')], {
        description:
          'Tells the service who the visitor is, with a PROXY protocol header of this version. Default: none.'
      })
    )
  })
)
