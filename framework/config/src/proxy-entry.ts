import { Type } from '@rystra/model/schema'
import { bytesSchema } from './bytes.js'
import { check } from './check.js'
import { durationSchema } from './duration.js'
import type { Problem } from './problem.js'
import { defaulted, open, resolved } from './schema.js'
import { word } from './words.js'

/** Ten years. */
export const MAX_EXPIRY_MS = 3650 * 86_400_000

type Policy = (typeof policies)[number]
const policies = ['round-robin', 'least-connections', 'random', 'sticky'] as const

const groupName = word('Name of the group, unique within the identity.')
const finalGroup = Type.Object(
  {
    name: groupName,
    policy: defaulted(Type.Union(policies.map((policy) => Type.Literal(policy))), 'round-robin')
  },
  { additionalProperties: false }
)

const groupSchema = resolved<string | { name: string; policy?: Policy }, { name: string; policy: Policy }>(
  `a name, or { name, policy } with a policy of ${policies.join(', ')}`,
  {
    description:
      'Clients of one identity whose proxies name the same group share its port, host or name. With the policy `sticky` a visitor address always gets the same member. Default: no group.',
    anyOf: [groupName, finalGroup]
  },
  (value) => {
    const problems: Problem[] = []
    const group = check(finalGroup, typeof value === 'string' ? { name: value } : value, '', problems)
    if (problems.length === 0) return group as { name: string; policy: Policy }
    throw new RangeError('expected a name, or { name, policy }')
  },
  finalGroup
)

const healthCheckSchema = Type.Object(
  {
    type: defaulted(
      Type.Union([Type.Literal('tcp'), Type.Literal('http')]),
      'tcp',
      '`tcp`: the service accepts a connection. `http`: a GET of `path` has a status from 200 to 399.'
    ),
    path: defaulted(
      Type.String({ title: 'a path that begins with /, such as /health', pattern: '^/[\\x21-\\x7e]*$' }),
      '/',
      'Request path of the type `http`.'
    ),
    interval: defaulted(durationSchema(100), 10_000, 'Time between two checks.'),
    timeout: defaulted(durationSchema(50), 3000, 'Time after which a check has failed.'),
    failures: defaulted(
      Type.Integer({ minimum: 1 }),
      3,
      'Number of failed checks in a row after which the service counts as down.'
    ),
    successes: defaulted(
      Type.Integer({ minimum: 1 }),
      1,
      'Number of successful checks in a row after which the service counts as up.'
    )
  },
  {
    description:
      'Checks of the service by the client; while it is down, the server sends no visitors to it. Default: no check.'
  }
)

/** Schema of {@link ForwardEntry}: what every kind has. */
export const forwardSchema = open(
  Type.Object({
    name: word('Name of the forward, unique within the client.'),
    kind: defaulted(word('Name of a registered kind that can be visited.'), 'private')
  })
)

/** Schema of {@link ProxyEntry}: what every kind of proxy has. */
export const proxySchema = open(
  Type.Object({
    name: word('Name of the proxy, unique within the client.'),
    kind: word('Name of a registered kind: `tcp`.'),
    expiresIn: Type.Optional(
      durationSchema(1000, 'Time after which the proxy is unpublished. Default: never.', MAX_EXPIRY_MS)
    ),
    idleTimeout: Type.Optional(
      durationSchema(1000, 'Time without data in either direction after which a stream is reset. Default: never.')
    ),
    bandwidth: Type.Optional(
      bytesSchema('Bytes per second in each direction, all streams of the proxy together. Default: no limit.')
    ),
    maxConnections: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Maximum number of open streams; further visitors are refused. Default: no limit.'
      })
    ),
    group: Type.Optional(groupSchema),
    healthCheck: Type.Optional(healthCheckSchema),
    proxyProtocol: Type.Optional(
      Type.Union([Type.Literal('v1'), Type.Literal('v2')], {
        description:
          'Version of the PROXY protocol header with which the service gets the address of the visitor. Default: no header.'
      })
    )
  })
)
