import { type Static, Type } from '@rystra/plugin'

/** Every signature algorithm that may be allowed: RFC 7518 and RFC 8037 without `none`, and `Ed25519` of RFC 9864. */
export const algorithms = [
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

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))
const milliseconds = (description: string, byDefault: number, maximum: number) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum, default: byDefault, description }))
/** The name of a claim, or where it is: a JSON pointer (RFC 6901). */
const claim = Type.String({ minLength: 1, maxLength: 256 })

const cache = Type.Object(
  {
    maxAge: milliseconds('Milliseconds after which the keys are fetched again', 600_000, 86_400_000),
    cooldown: milliseconds('Milliseconds between two fetches at least, whatever keys are asked for', 30_000, 3_600_000),
    timeout: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 4_500, default: 4_000, description: 'Milliseconds for one fetch' })
    ),
    keep: milliseconds(
      'Milliseconds beyond maxAge for which keys count when no others can be had',
      3_600_000,
      86_400_000
    )
  },
  { additionalProperties: false, default: {}, description: 'How keys of a URL are kept' }
)

/** Whose tokens a server takes. */
const issuerSchema = Type.Object(
  {
    issuer: text('What `iss` has to be. Needed with `jwks`, and where there are several'),
    audience: Type.Optional(
      Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
        description: 'One of these has to be in `aud`'
      })
    ),
    anyAudience: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Takes tokens that the issuer has made for any other service as well'
      })
    ),
    secret: text('Secret of both ends for HMAC, 32 bytes at least; write ${NAME} to take it from the environment'),
    secretFile: text('A file with the secret; a line break at its end does not count'),
    publicKey: text('PEM file with the public key, or a certificate, of the issuer: RSA, EC or Ed25519'),
    jwks: text('A file with the keys of the issuer as a JSON Web Key Set, or its https: address'),
    jwksCache: Type.Optional(cache),
    algorithms: Type.Optional(
      Type.Array(Type.Union(algorithms.map((name) => Type.Literal(name))), {
        minItems: 1,
        description: 'What signatures are taken. Default: all that fit the key'
      })
    ),
    clockTolerance: milliseconds('Milliseconds by which the clocks of issuer and server may differ', 30_000, 600_000),
    maxTokenAge: Type.Optional(
      Type.Integer({ minimum: 1, description: 'Milliseconds since `iat` after which a token counts no more' })
    ),
    requireExpiry: Type.Optional(Type.Boolean({ default: true, description: 'Refuses tokens without `exp`' })),
    claims: Type.Optional(
      Type.Record(claim, Type.Union([Type.String(), Type.Number(), Type.Boolean()]), {
        description: 'What claims have to be: a pattern with `*`, which has to fit one of them where it is a list'
      })
    ),
    identity: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 512,
        default: '{sub}',
        description: 'Who presents the token: text with {claim} in it'
      })
    ),
    rights: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'What the identity may do; hooks read it' })
    ),
    rightsFrom: Type.Optional(
      Type.Record(Type.String(), claim, { description: 'Rights that are claims of the token: name, and claim' })
    )
  },
  { additionalProperties: false }
)

/** Options of both ends. */
export const jwtOptions = Type.Object(
  {
    token: text('Client: the token; write ${NAME} to take it from the environment'),
    file: text('Client: a file that holds the token, read again for each session'),
    allowPlain: Type.Boolean({
      default: false,
      description: 'Client: sends the token over links without TLS too, where everybody on the way can take it'
    }),
    issuers: Type.Optional(Type.Array(issuerSchema, { description: 'Server: whose tokens it takes' }))
  },
  { additionalProperties: false }
)

type Filled<Options, Key extends keyof Options> = Options & { readonly [Name in Key]-?: NonNullable<Options[Name]> }

/** An entry of `issuers`. */
export type IssuerOptions = Static<typeof issuerSchema>
export type JwtOptions = Static<typeof jwtOptions>

/** The same with its defaults. */
export type JwksCache = Required<Static<typeof cache>>
export type TrustedIssuer = Filled<
  Omit<IssuerOptions, 'jwksCache'>,
  'anyAudience' | 'clockTolerance' | 'requireExpiry' | 'identity'
> & { readonly jwksCache: JwksCache }
