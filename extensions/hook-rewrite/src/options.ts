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
    description: 'Regular expression in the syntax of RE2: no look-around, no back-references.'
  }),
  with: Type.String({
    maxLength: 8192,
    description: 'What comes in its place: $1, $<name>, $& and $$ as in JavaScript.'
  }),
  ignoreCase: Type.Optional(
    Type.Boolean({ default: false, description: 'Whether upper and lower case are the same.' })
  ),
  all: Type.Optional(
    Type.Boolean({
      default: false,
      description: 'Every match instead of the first; the pattern must not match nothing.'
    })
  )
}

const headSchema = Type.Object(
  {
    on: Type.Union([Type.Literal('request'), Type.Literal('response')], {
      description: 'What goes to the service, or what comes from it.'
    }),
    remove: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Names of headers that are taken out; `*` stands for any characters.'
      })
    ),
    replace: Type.Optional(
      Type.Array(
        Type.Object(
          { header: Type.String({ description: 'The header whose values are searched.' }), ...change },
          strict
        ),
        { description: 'Values of headers, by regular expression.' }
      )
    ),
    set: fields('Headers that have this value, and no other.'),
    add: fields('Headers that are there besides.'),
    target: Type.Optional(
      Type.Object(change, { ...strict, description: 'Path and query of a request, by regular expression.' })
    )
  },
  strict
)

const bytesSchema = Type.Object(
  {
    direction: Type.Union([Type.Literal('toService'), Type.Literal('toVisitor')], {
      description: 'Which way the bytes go.'
    }),
    find: Type.Union([Type.String(), Type.Object({ hex: Type.String() }, strict)], {
      description: 'Text, as UTF-8, or bytes as `{ hex }`; 1 to 4096 bytes.'
    }),
    replace: Type.Union([Type.String(), Type.Object({ hex: Type.String() }, strict)], {
      description: 'What comes in its place; 0 to 65,536 bytes.'
    })
  },
  strict
)

const ruleSchema = Type.Object(
  {
    proxies: globs('Names of proxies it is for; `*` stands for any characters.', ['*']),
    kinds: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Kinds of proxies it is for. Default: heads of all kinds that have them; bytes of tcp and private.'
      })
    ),
    heads: Type.Optional(Type.Array(headSchema, { description: 'Changes of HTTP heads, on servers.' })),
    bytes: Type.Optional(
      Type.Array(bytesSchema, { description: 'Changes of raw bytes, on the end that has the rule.' })
    )
  },
  strict
)

export const rewriteOptions = Type.Object({
  rules: Type.Array(ruleSchema, {
    default: [],
    description: 'Carried out in their order; each sees what those before it made.'
  }),
  hold: Type.Integer({
    default: 1000,
    minimum: 0,
    maximum: 60_000,
    description:
      'Milliseconds that bytes which may begin a match wait for the next ones before they go on as they are; 0: until the stream ends.'
  })
})

export type RewriteOptions = Static<typeof rewriteOptions>
export type Rule = Static<typeof ruleSchema>
export type HeadRule = Static<typeof headSchema>
export type BytesRule = Static<typeof bytesSchema>
export type Change = Static<ReturnType<typeof changeSchema>>

const changeSchema = () => Type.Object(change)
