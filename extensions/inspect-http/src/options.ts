import { type Static, Type } from '@rystra/plugin'

/** Options of the extension, for both ends. */
export const inspectOptions = Type.Object(
  {
    exchanges: Type.Integer({
      default: 200,
      minimum: 1,
      maximum: 10_000,
      description: 'Maximum of exchanges that are kept; the oldest go first. Default: 200.'
    }),
    memory: Type.Integer({
      default: 33_554_432,
      minimum: 65_536,
      maximum: 1_073_741_824,
      description: 'Bytes of all heads and bodies that are kept. Default: 33554432 (32 MiB).'
    }),
    body: Type.Integer({
      default: 65_536,
      minimum: 0,
      maximum: 16_777_216,
      description: 'Bytes that are kept of each body. Default: 65536.'
    }),
    mask: Type.Array(Type.String({ minLength: 1, maxLength: 128 }), {
      default: [],
      maxItems: 100,
      description:
        'Further names of header fields and query parameters whose values are masked, `*` for any letters: `x-api-*`. Default: an empty list; authorization, cookies and what is called a token, secret, password or key are always masked.'
    }),
    proxies: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Names of the proxies that are watched. Default: all of kinds that speak HTTP.'
      })
    )
  },
  { additionalProperties: false }
)
export type InspectOptions = Static<typeof inspectOptions>
