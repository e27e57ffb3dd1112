import { bytesPattern, durationPattern, ratePattern } from '@rystra/limits'
import { type Static, Type } from '@rystra/plugin'

const rate = (description: string) =>
  Type.Optional(
    Type.String({
      title: "a rate such as '20/s', '600/m'",
      pattern: ratePattern,
      description: `${description}, such as \`20/s\`; 0 allows none. Default: no limit.`
    })
  )

const bytes = (description: string) =>
  Type.Optional(
    Type.String({
      title: "bytes such as '500kB', '10MB'",
      pattern: bytesPattern,
      description: `${description}, such as \`10MB\`; 0 allows none. Default: no limit.`
    })
  )

const patterns = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: `${description}; \`*\` matches any text. Default: all.`
    })
  )

/** Default values. */
export const defaults = { burst: '1s', free: 3, delay: '500ms', after: 10, shutOutFor: '15m' } as const

const ruleOptions = Type.Object(
  {
    per: Type.Union(
      (['connection', 'visitor', 'proxy', 'identity', 'total'] as const).map((one) => Type.Literal(one)),
      {
        description:
          'Scope of a bucket: each `connection` of a visitor, each `visitor` address (IPv4, or IPv6 /64), each `proxy`, each `identity`, or the `total` of all. Required.'
      }
    ),
    proxies: patterns('Only proxies of these names'),
    kinds: patterns('Only proxies of these kinds'),
    identities: patterns('Only proxies of these identities'),
    bytesToService: bytes('Bytes per second from visitors to services'),
    bytesToVisitor: bytes('Bytes per second from services to visitors'),
    streams: rate('New streams'),
    requests: rate('HTTP requests'),
    handshakes: rate('Handshakes of clients'),
    burst: Type.Optional(
      Type.String({
        title: "a duration such as '250ms', '30s', '15m'",
        pattern: durationPattern,
        default: defaults.burst,
        description:
          'Burst: what an idle bucket accumulates of its rate in this time, at least 64 KiB or one event. Default: 1s.'
      })
    )
  },
  { additionalProperties: false }
)

const failureOptions = Type.Object(
  {
    free: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        default: defaults.free,
        description: 'Number of failed authentications of an address that are not delayed. Default: 3.'
      })
    ),
    delay: Type.Optional(
      Type.String({
        title: "a duration such as '250ms', '30s', '15m'",
        pattern: durationPattern,
        default: defaults.delay,
        description: 'Delay of the next handshake, doubled with each failure up to 4 s; 0 for none. Default: 500ms.'
      })
    ),
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100_000,
        default: defaults.after,
        description: 'Failures after which an address is blocked; 0 for never. Default: 10.'
      })
    ),
    shutOutFor: Type.Optional(
      Type.String({
        title: "a duration such as '250ms', '30s', '15m'",
        pattern: durationPattern,
        default: defaults.shutOutFor,
        description: 'Duration of a block, and time in which that many failures decay. Default: 15m.'
      })
    ),
    exempt: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Networks that are neither delayed nor blocked, such as `10.0.0.0/8`. Default: none.'
      })
    )
  },
  {
    additionalProperties: false,
    default: {},
    description: 'Delays and blocks of addresses after failed authentications.'
  }
)

export const rateOptions = Type.Object({
  rules: Type.Array(ruleOptions, { default: [], description: 'Rules; all that match apply. Default: none.' }),
  authFailures: failureOptions,
  capacity: Type.Integer({
    minimum: 16,
    maximum: 10_000_000,
    default: 100_000,
    description:
      'Maximum of addresses, proxies or identities per rule; full buckets are evicted first. Default: 100000.'
  })
})

export type RateOptions = Static<typeof rateOptions>
export type RuleOptions = Static<typeof ruleOptions>
export type FailureOptions = Static<typeof failureOptions>
