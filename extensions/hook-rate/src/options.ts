import { bytesPattern, durationPattern, ratePattern } from '@rystra/limits'
import { type Static, Type } from '@rystra/plugin'

const rate = (description: string) =>
  Type.Optional(Type.String({ pattern: ratePattern, description: `${description}, such as \`20/s\`. 0: none at all.` }))

const bytes = (description: string) =>
  Type.Optional(
    Type.String({ pattern: bytesPattern, description: `${description}, such as \`10MB\`. 0: none at all.` })
  )

const patterns = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: `${description}; \`*\` stands for any text.`
    })
  )

/** What holds where an option is left out. */
export const defaults = { burst: '1s', free: 3, delay: '500ms', after: 10, shutOutFor: '15m' } as const

const ruleOptions = Type.Object(
  {
    per: Type.Union(
      (['connection', 'visitor', 'proxy', 'identity', 'total'] as const).map((one) => Type.Literal(one)),
      {
        description:
          'Scope of a bucket: each connection of a visitor, an address of visitors (IPv4, or IPv6 /64), a proxy, an identity, or all together.'
      }
    ),
    proxies: patterns('Only proxies of these names'),
    kinds: patterns('Only proxies of these kinds'),
    identities: patterns('Only proxies of these identities'),
    bytesToService: bytes('Bytes a second from visitors to services'),
    bytesToVisitor: bytes('Bytes a second from services to visitors'),
    streams: rate('New streams'),
    requests: rate('HTTP requests'),
    handshakes: rate('Clients that say Hello'),
    burst: Type.Optional(
      Type.String({
        pattern: durationPattern,
        default: defaults.burst,
        description: 'How much of its rate an idle bucket saves up; 64 KiB of bytes and one of the others at least.'
      })
    )
  },
  { additionalProperties: false }
)

const failureOptions = Type.Object(
  {
    free: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1000, default: defaults.free, description: 'Failures that cost nothing.' })
    ),
    delay: Type.Optional(
      Type.String({
        pattern: durationPattern,
        default: defaults.delay,
        description: 'How long the next one waits; doubles with each failure, up to 4 s. 0: no wait.'
      })
    ),
    after: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100_000,
        default: defaults.after,
        description: 'Failures after which an address is shut out. 0: never.'
      })
    ),
    shutOutFor: Type.Optional(
      Type.String({
        pattern: durationPattern,
        default: defaults.shutOutFor,
        description: 'How long; also the time in which that many failures are forgotten.'
      })
    ),
    exempt: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        default: [],
        description: 'Networks of which nobody is slowed down or shut out, such as `10.0.0.0/8`.'
      })
    )
  },
  {
    additionalProperties: false,
    default: {},
    description: 'What comes of failed authentications, by the address they come from.'
  }
)

export const rateOptions = Type.Object({
  rules: Type.Array(ruleOptions, { default: [], description: 'Each that fits counts.' }),
  authFailures: failureOptions,
  capacity: Type.Integer({
    minimum: 16,
    maximum: 10_000_000,
    default: 100_000,
    description: 'Addresses, proxies or identities that a rule remembers; those with nothing owed go first.'
  })
})

export type RateOptions = Static<typeof rateOptions>
export type RuleOptions = Static<typeof ruleOptions>
export type FailureOptions = Static<typeof failureOptions>
