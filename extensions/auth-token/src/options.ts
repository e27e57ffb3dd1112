import { type Static, Type } from '@rystra/plugin'

const token = Type.String({
  minLength: 1,
  maxLength: 1024,
  secret: true,
  description: 'The token. ${NAME} takes it from the environment. Default: none.'
})
const file = Type.String({
  minLength: 1,
  file: 'secret',
  description: 'File with the token, relative to the configuration; surrounding white space is ignored. Default: none.'
})
const identity = Type.String({ minLength: 1, maxLength: 128 })

/** One token of a server. */
const tokenEntry = Type.Object(
  {
    identity: Type.String({
      ...identity,
      description: 'Identity of clients with this token. Several tokens may have the same identity.'
    }),
    token: Type.Optional(token),
    file: Type.Optional(file),
    once: Type.Optional(
      Type.Boolean({
        description:
          'Whether only the first client that presents the token may use it; clients are told apart by `client.id`. Default: false.'
      })
    ),
    rights: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'Rights of the identity, for hooks. Default: none.' })
    )
  },
  { additionalProperties: false }
)

/** Options of both ends, so that one entry may serve a server and its client. */
export const tokenOptions = Type.Object(
  {
    token: Type.Optional(token),
    file: Type.Optional(file),
    identity: Type.String({
      ...identity,
      default: 'default',
      description: 'Server: identity of clients with `token` or `file`, without `tokens`. Default: `default`.'
    }),
    tokens: Type.Optional(
      Type.Array(tokenEntry, {
        description: 'Server: accepted tokens; `token` and `file` are ignored then. Default: `token` or `file`.'
      })
    )
  },
  { additionalProperties: false }
)

export type TokenEntry = Static<typeof tokenEntry>
export type TokenOptions = Static<typeof tokenOptions>
