import type { TSchema } from '@rystra/model/schema'
import type { Member, Service } from './define.js'

/** A member of a contract in JSON. Types are JSON Schema. */
export interface MemberDescription {
  readonly kind: Member['kind']
  readonly from: 'client' | 'server'
  readonly types: Readonly<Record<string, unknown>>
  readonly terms: Readonly<Record<string, unknown>>
}

/** A contract in JSON. */
export interface ServiceDescription {
  readonly name: string
  readonly members: Readonly<Record<string, MemberDescription>>
}

/** A schema without what JSON cannot say: kinds of TypeBox are symbols. */
const plain = (schema: unknown): unknown => JSON.parse(JSON.stringify(schema))

const typesOf = (member: Member): Record<string, unknown> => {
  if (member.kind === 'event') return { data: plain(member.data) }
  if (member.kind === 'stream') return { up: plain(member.up), down: plain(member.down) }
  const { input, output, errors } = member
  return { input: plain(input), output: plain(output), ...(errors === undefined ? {} : { errors: plain(errors) }) }
}

const termsOf = (member: Member): Record<string, unknown> => {
  const {
    kind: _kind,
    input: _in,
    output: _out,
    errors: _errors,
    data: _data,
    up: _up,
    down: _down,
    ...terms
  } = member as unknown as Record<string, unknown>
  return terms
}

/** A contract as JSON, for other languages and for people. */
export const describeService = ({ name, members }: Service): ServiceDescription => ({
  name,
  members: Object.fromEntries(
    Object.entries(members).map(([key, each]) => {
      const member = each.kind === 'fromServer' ? each.contract : each
      const from = each.kind === 'fromServer' ? 'server' : 'client'
      return [`${name}.${key}`, { kind: member.kind, from, types: typesOf(member), terms: termsOf(member) }]
    })
  )
})

const short = (schema: unknown): string => {
  const { type, properties, required, items, anyOf, const: literal } = schema as TSchema
  if (literal !== undefined) return JSON.stringify(literal)
  if (anyOf !== undefined) return (anyOf as unknown[]).map(short).join(' or ')
  if (type === 'array') return `list of ${short(items ?? {})}`
  if (type !== 'object' || properties === undefined) return String(type ?? 'any')
  const fields = Object.entries(properties as Record<string, unknown>).map(
    ([key, value]) => `${key}${(required as string[] | undefined)?.includes(key) === true ? '' : '?'}: ${short(value)}`
  )
  return `{ ${fields.join(', ')} }`
}

/** A contract as a table of Markdown. */
export const describeMarkdown = (service: Service): string => {
  const rows = Object.entries(describeService(service).members).map(([name, { kind, from, types, terms }]) => {
    const { errors, ...main } = types as { errors?: Record<string, unknown> }
    const said = Object.entries(main).map(([key, schema]) => `${key} \`${short(schema).replaceAll('|', '\\|')}\``)
    const codes = Object.keys(errors ?? {}).map((code) => `error \`${code}\``)
    const more = Object.entries(terms).map(([key, value]) => `${key}: ${String(value)}`)
    return `| \`${name}\` | ${kind} | ${from} | ${[...said, ...codes, ...more].join('; ')} |`
  })
  return [`# ${service.name}`, '', '| name | kind | from | types |', '| --- | --- | --- | --- |', ...rows, ''].join(
    '\n'
  )
}
