import { type Static, Type } from '@rystra/plugin'

const token = Type.String({
  minLength: 1,
  maxLength: 1024,
  description: 'The token itself; write ${NAME} to take it from the environment'
})
const file = Type.String({
  minLength: 1,
  description: 'A file that holds the token, relative to the configuration; white space around it does not count'
})
const identity = Type.String({ minLength: 1, maxLength: 128 })

/** One token of a server. */
export const tokenEntry = Type.Object(
  {
    identity: Type.String({ ...identity, description: 'Who presents it. Several tokens may be of one identity' }),
    token: Type.Optional(token),
    file: Type.Optional(file),
    once: Type.Optional(
      Type.Boolean({
        description: 'Only the first client that presents it may use it, known by its id. Default: false'
      })
    ),
    rights: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'What the identity may do; hooks read it' })
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
      description: 'Server: who presents `token` or `file`, where there are no `tokens`'
    }),
    tokens: Type.Optional(
      Type.Array(tokenEntry, {
        description: 'Server: every token it knows. `token` and `file` are not among them then'
      })
    )
  },
  { additionalProperties: false }
)

export type TokenEntry = Static<typeof tokenEntry>
export type TokenOptions = Static<typeof tokenOptions>
