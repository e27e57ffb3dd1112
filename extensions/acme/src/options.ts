import { hostPattern } from '@rystra/net'
import { type Static, Type } from '@rystra/plugin'

/** Ways to show an authority that a host leads here. */
const challengeTypes = ['http-01', 'tls-alpn-01'] as const
export type ChallengeType = (typeof challengeTypes)[number]

/** Directories of Let's Encrypt. */
export const directories = {
  production: 'https://acme-v02.api.letsencrypt.org/directory',
  staging: 'https://acme-staging-v02.api.letsencrypt.org/directory'
} as const

/** Options of the extension. All are the server's. */
export const AcmeOptions = Type.Object({
  hosts: Type.Array(Type.String({ title: 'a host such as app.example.org, or *.example.org', pattern: hostPattern }), {
    minItems: 1,
    maxItems: 1024,
    description:
      'Patterns of hosts that may have a certificate. One is ordered for a host that fits and is published by a proxy of kind http, and for no other.'
  }),
  termsOfServiceAgreed: Type.Boolean({
    default: false,
    description: 'Whether the terms of service of the authority are agreed to: it gives no certificates otherwise.'
  }),
  email: Type.Optional(
    Type.String({
      pattern: '^[^\\s@,]+@[^\\s@,]+$',
      maxLength: 254,
      description: 'Address at which the authority reaches the owner of the account. Default: none.'
    })
  ),
  directory: Type.Optional(
    Type.String({
      title: 'a URL such as https://acme-v02.api.letsencrypt.org/directory',
      pattern: '^[Hh][Tt][Tt][Pp][Ss]://[^\\s]+$',
      maxLength: 1024,
      description: `URL of the directory of the authority. Default: ${directories.production}.`
    })
  ),
  staging: Type.Boolean({
    default: false,
    description:
      "Whether certificates come from the staging environment of Let's Encrypt: it has higher limits, and browsers do not trust it. Default: false."
  }),
  ca: Type.Optional(
    Type.String({
      minLength: 1,
      description: 'PEM file with the authorities trusted for the connection to `directory`. Default: those of Node.'
    })
  ),
  externalAccount: Type.Optional(
    Type.Object(
      {
        keyId: Type.String({
          minLength: 1,
          maxLength: 512,
          secret: false,
          description: 'Key identifier that the authority gave out.'
        }),
        hmacKey: Type.String({
          minLength: 16,
          maxLength: 1024,
          pattern: '^[A-Za-z0-9_+/=-]+$',
          secret: true,
          description: 'Key that the authority gave out, in base64url.'
        })
      },
      {
        additionalProperties: false,
        description: 'External account binding, RFC 8555 §7.3.4, for authorities that ask for it. Default: none.'
      }
    )
  ),
  challenges: Type.Array(Type.Union(challengeTypes.map((type) => Type.Literal(type))), {
    default: [...challengeTypes],
    minItems: 1,
    uniqueItems: true,
    description:
      'Challenges in the order in which they are tried: `http-01` comes to port 80, `tls-alpn-01` to port 443. Default: both, http-01 first.'
  }),
  order: Type.Union([Type.Literal('published'), Type.Literal('visited')], {
    default: 'published',
    description:
      'When a certificate is ordered: when its host is published, or when a visitor asks for it. Default: published.'
  }),
  ordersPerHour: Type.Integer({
    default: 50,
    minimum: 1,
    maximum: 10_000,
    description: 'Maximum number of orders in one hour, of all hosts together. Default: 50.'
  })
})
export type AcmeOptions = Static<typeof AcmeOptions>

/** The directory that the options mean. */
export const directoryOf = ({ directory, staging }: Pick<AcmeOptions, 'directory' | 'staging'>): string =>
  directory ?? (staging ? directories.staging : directories.production)
