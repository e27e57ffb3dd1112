import { type Static, Type } from '@rystra/plugin'

const strict = { additionalProperties: false }

const globs = (description: string, fallback: string[]) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description, default: fallback, minItems: 1 }))

const fields = (description: string) =>
  Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 8192 }), { description }))

const change = {
  pattern: Type.String({
    minLength: 1,
    maxLength: 1000,
    description: 'Regular expression in RE2 syntax: no look-around, no back-references.'
  }),
  with: Type.String({
    maxLength: 8192,
    description: 'Replacement, with $1, $<name>, $& and $$ as in JavaScript.'
  }),
  ignoreCase: Type.Optional(Type.Boolean({ default: false, description: 'Whether case is ignored. Default: false.' })),
  all: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'Whether all matches are replaced instead of the first; the pattern must not match the empty text. Default: false.'
    })
  )
}

const headSchema = Type.Object(
  {
    on: Type.Union([Type.Literal('request'), Type.Literal('response')], {
      description: 'Requests to the service, or responses from it.'
    }),
    remove: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Names of headers to remove; `*` matches any characters. Default: none.'
      })
    ),
    replace: Type.Optional(
      Type.Array(
        Type.Object({ header: Type.String({ description: 'Header whose values are searched.' }), ...change }, strict),
        { description: 'Replacements in header values, by regular expression. Default: none.' }
      )
    ),
    set: fields('Headers to set to this single value. Default: none.'),
    add: fields('Headers to add. Default: none.'),
    target: Type.Optional(
      Type.Object(change, {
        ...strict,
        description: 'Replacement in path and query of a request, by regular expression. Default: none.'
      })
    )
  },
  strict
)

const bytesSchema = Type.Object(
  {
    direction: Type.Union([Type.Literal('toService'), Type.Literal('toVisitor')], {
      description: 'Direction of the bytes.'
    }),
    find: Type.Union([Type.String(), Type.Object({ hex: Type.String() }, strict)], {
      description: 'Searched text (UTF-8), or bytes as `{ hex }`; 1 to 4096 bytes.'
    }),
    replace: Type.Union([Type.String(), Type.Object({ hex: Type.String() }, strict)], {
      description: 'Replacement; 0 to 65536 bytes.'
    })
  },
  strict
)

const ruleSchema = Type.Object(
  {
    proxies: globs('Names of proxies; `*` matches any characters. Default: all.', ['*']),
    kinds: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Kinds of proxies. Default: for heads all kinds that have them, for bytes tcp and private.'
      })
    ),
    heads: Type.Optional(Type.Array(headSchema, { description: 'Changes of HTTP heads, on servers. Default: none.' })),
    bytes: Type.Optional(
      Type.Array(bytesSchema, { description: 'Changes of raw bytes, on the end that has the rule. Default: none.' })
    )
  },
  strict
)

export const rewriteOptions = Type.Object({
  rules: Type.Array(ruleSchema, {
    default: [],
    description: 'Rules, applied in order to the result of the previous ones. Default: none.'
  }),
  hold: Type.Integer({
    default: 1000,
    minimum: 0,
    maximum: 60_000,
    description:
      'Milliseconds that the possible beginning of a match is held back; 0 until the stream ends. Default: 1000.'
  })
})

export type RewriteOptions = Static<typeof rewriteOptions>
export type Rule = Static<typeof ruleSchema>
export type HeadRule = Static<typeof headSchema>
export type BytesRule = Static<typeof bytesSchema>
export type Change = Static<ReturnType<typeof changeSchema>>

const changeSchema = () => Type.Object(change)
