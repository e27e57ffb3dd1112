import { type Kind, OptionalKind, type TSchema, Type } from '@rystra/model/schema'
import { type ProxyKind, type ProxySpec, RystraError } from '@rystra/plugin'
import { check } from './check.js'
import { type Problem, formatProblem } from './problem.js'
import { MAX_EXPIRY_MS, proxySchema } from './proxy-entry.js'
import { finalKey } from './schema.js'

type Fields = Record<string, TSchema & { [finalKey]?: TSchema; [Kind]: string }>

/** Common fields that are for the client alone. */
const localFields = ['proxyProtocol']

/** Fields that a client does not send to the server: its own, and those of the kind. */
export const localFieldsOf = (kind: ProxyKind): ReadonlySet<string> =>
  new Set([...localFields, ...(kind.localFields ?? [])])

/** Where a sent field differs from the entry it comes from, other than by being resolved. */
const sentOnly: Fields = {
  /** What is left of it: a client that comes back sends less than an entry may have. */
  expiresIn: Type.Optional(Type.Number({ minimum: 1, maximum: MAX_EXPIRY_MS })),
  /** Whether its client checks the service; the checks are its own business. */
  healthCheck: Type.Optional(Type.Literal(true)),
  /** Set by hooks: narrows down what `server.publish.ports` allows, for an explicit port and a free one. */
  ports: Type.Optional(Type.Array(Type.String(), { maxItems: 256 }))
}

const schemas = new WeakMap<ProxyKind, TSchema>()

/** Schema of an entry as it is sent: fields resolved, local ones left out, all others unknown. */
const sentSchema = (kind: ProxyKind): TSchema => {
  const known = schemas.get(kind)
  if (known !== undefined) return known
  const local = localFieldsOf(kind)
  const own = (kind.spec as { properties?: Fields }).properties ?? {}
  const fields = Object.entries({ ...own, ...(proxySchema.properties as Fields), ...sentOnly })
  const sent = fields.filter(([name]) => !local.has(name)).map(([name, field]) => [name, sentField(field)] as const)
  const schema = Type.Object(Object.fromEntries(sent), { additionalProperties: false })
  schemas.set(kind, schema)
  return schema
}

const sentField = (field: Fields[string]): TSchema => {
  const final = field[finalKey]
  if (final === undefined) return field
  return field[OptionalKind] === undefined ? final : Type.Optional(final)
}

/**
 * A spec as a client sent it, with the defaults of its kind filled in. Holds to what an entry of a configuration holds to.
 * @throws proxy.invalid with each field that is wrong
 */
export const checkSent = (kind: ProxyKind, spec: ProxySpec): ProxySpec => {
  const problems: Problem[] = []
  const checked = check(sentSchema(kind), spec, '', problems) as ProxySpec
  if (problems.length === 0) return checked
  throw new RystraError('proxy.invalid', { side: 'server', detail: problems.map(formatProblem).join('; ') })
}
