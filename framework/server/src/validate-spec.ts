import { printablePattern, type ProxySpec, RystraError } from '@rystra/model'
import { type ProxyKind, type TSchema, Type } from '@rystra/plugin'
import { Value } from '@sinclair/typebox/value'

const name = Type.String({ minLength: 1, maxLength: 128, pattern: printablePattern })

/** Fields that every kind has on the wire. */
const common = {
  name,
  kind: Type.String(),
  expiresIn: Type.Optional(Type.Number({ minimum: 1 })),
  group: Type.Optional(
    Type.Object(
      {
        name,
        policy: Type.Optional(
          Type.Union([
            Type.Literal('round-robin'),
            Type.Literal('least-connections'),
            Type.Literal('random'),
            Type.Literal('sticky')
          ])
        )
      },
      { additionalProperties: false }
    )
  ),
  /** Whether its client checks the service, and says how it is by ProxyHealth. */
  healthCheck: Type.Optional(Type.Literal(true)),
  bandwidth: Type.Optional(Type.Number({ minimum: 1 })),
  maxConnections: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Narrows down what `server.publish.ports` allows, for hooks that do: an explicit port and a free one are from these. */
  ports: Type.Optional(Type.Array(Type.String(), { maxItems: 256 })),
  /** Each stream is looked at several times within it: no client may have that done all the time. */
  idleTimeout: Type.Optional(Type.Number({ minimum: 1000 }))
}

const schemas = new WeakMap<ProxyKind, TSchema>()

/** A kind's fields as a client sends them: without those that are its own business. */
const schemaOf = (kind: ProxyKind): TSchema => {
  const known = schemas.get(kind)
  if (known !== undefined) return known
  const local = new Set(kind.localFields ?? [])
  const properties = Object.entries((kind.spec as { properties?: Record<string, TSchema> }).properties ?? {})
  const sent = Object.fromEntries(properties.filter(([name]) => !local.has(name)))
  const schema = Type.Object({ ...sent, ...common }, { additionalProperties: false })
  schemas.set(kind, schema)
  return schema
}

/** Throws `proxy.invalid`, naming the field, unless a client may send this. */
export const checkSpec = (kind: ProxyKind, spec: ProxySpec): void => {
  const error = Value.Errors(schemaOf(kind), spec).First()
  if (error === undefined) return
  throw new RystraError('proxy.invalid', {
    side: 'server',
    detail: `${error.path.slice(1) || spec.name}: ${error.message}`
  })
}
