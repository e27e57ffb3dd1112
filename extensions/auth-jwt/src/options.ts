import { type Static, Type } from '@rystra/plugin'

/** Supported signature algorithms: RFC 7518 and RFC 8037 without `none`, and `Ed25519` of RFC 9864. */
const algorithms = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519'
] as const
export type Algorithm = (typeof algorithms)[number]

const text = (description: string, marks: { readonly secret?: boolean; readonly file?: 'text' } = {}) =>
  Type.Optional(Type.String({ minLength: 1, description, ...marks }))
const milliseconds = (description: string, byDefault: number, maximum: number) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum, default: byDefault, description }))
/** A claim by name or JSON pointer (RFC 6901). */
const claim = Type.String({ minLength: 1, maxLength: 256 })

const cache = Type.Object(
  {
    maxAge: milliseconds('Milliseconds after which the keys are fetched again. Default: 600000.', 600_000, 86_400_000),
    cooldown: milliseconds(
      'Minimum of milliseconds between two fetches, also for unknown keys. Default: 30000.',
      30_000,
      3_600_000
    ),
    timeout: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 4_500,
        default: 4_000,
        description: 'Milliseconds until a fetch must be complete. Default: 4000.'
      })
    ),
    keep: milliseconds(
      'Milliseconds beyond maxAge for which keys stay valid while fetching fails. Default: 3600000.',
      3_600_000,
      86_400_000
    )
  },
  { additionalProperties: false, default: {}, description: 'Caching of keys at a URL.' }
)

/** A trusted issuer of a server. */
const issuerSchema = Type.Object(
  {
    issuer: text('Required `iss`. Mandatory with `jwks` and with several issuers. Default: any.'),
    audience: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
        description: 'Required `aud`: one of these. Default: none, allowed only with a secret or anyAudience.'
      })
    ),
    anyAudience: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Whether tokens for other services are accepted. Default: false.'
      })
    ),
    secret: text('Shared secret for HMAC, at least 32 bytes. ${NAME} takes it from the environment. Default: none.', {
      secret: true
    }),
    secretFile: text('File with the secret; a trailing line break is ignored. Default: none.', {
      secret: false,
      file: 'text'
    }),
    publicKey: text('PEM file with the public key or certificate of the issuer: RSA, EC or Ed25519. Default: none.', {
      secret: false,
      file: 'text'
    }),
    jwks: text('JSON Web Key Set of the issuer: a file, or its https: URL. Default: none.', { file: 'text' }),
    jwksCache: Type.Optional(cache),
    algorithms: Type.Optional(
      Type.Array(Type.Union(algorithms.map((name) => Type.Literal(name))), {
        minItems: 1,
        description: 'Accepted signature algorithms. Default: all that match the key.'
      })
    ),
    clockTolerance: milliseconds(
      'Tolerated clock difference of issuer and server in milliseconds. Default: 30000.',
      30_000,
      600_000
    ),
    maxTokenAge: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Milliseconds since `iat` after which a token is refused. Default: no limit.'
      })
    ),
    requireExpiry: Type.Optional(
      Type.Boolean({ default: true, description: 'Whether tokens without `exp` are refused. Default: true.' })
    ),
    claims: Type.Optional(
      Type.Record(claim, Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description:
          'Required claims: values or patterns with `*`, which must match one entry of a list. Default: none.'
      })
    ),
    identity: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        default: '{sub}',
        description: 'Identity: text with {claim} placeholders. Default: {sub}.'
      })
    ),
    rights: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'Rights of the identity, for hooks. Default: none.' })
    ),
    rightsFrom: Type.Optional(
      Type.Record(Type.String(), claim, { description: 'Rights taken from claims: name and claim. Default: none.' })
    )
  },
  { additionalProperties: false }
)

/** Options of both ends. */
export const jwtOptions = Type.Object(
  {
    token: text('Client: the token. ${NAME} takes it from the environment. Default: none.', { secret: true }),
    file: text('Client: file with the token, read for each session. Default: none.', { file: 'text' }),
    allowPlain: Type.Boolean({
      default: false,
      description: 'Client: whether the token is sent over links without TLS, where it can be stolen. Default: false.'
    }),
    issuers: Type.Optional(Type.Array(issuerSchema, { description: 'Server: trusted issuers. Default: none.' }))
  },
  { additionalProperties: false }
)

type Filled<Options, Key extends keyof Options> = Options & { readonly [Name in Key]-?: NonNullable<Options[Name]> }

/** An entry of `issuers`. */
export type IssuerOptions = Static<typeof issuerSchema>
export type JwtOptions = Static<typeof jwtOptions>

/** The same with defaults applied. */
export type JwksCache = Required<Static<typeof cache>>
export type TrustedIssuer = Filled<
  Omit<IssuerOptions, 'jwksCache'>,
  'anyAudience' | 'clockTolerance' | 'requireExpiry' | 'identity'
> & { readonly jwksCache: JwksCache }
