import { bindForms, endpointField, localForms } from '@rystra/address'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'
import { limitFields } from '@rystra/udp'

/** Room is left for the port and the protocol, in the 128 characters that the name has on the wire. */
export const NAME = '^[^\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069:/]{1,117}$'

const port = (description: string) => Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, description }))
const protocol = (description: string) =>
  Type.Optional(Type.Union([Type.Literal('tcp'), Type.Literal('udp')], { description }))
const secret = (description: string) => Type.Optional(Type.String({ minLength: 1, maxLength: 1024, description }))
const secretFile = Type.Optional(
  Type.String({
    minLength: 1,
    description: 'A file that holds it, relative to the configuration; white space around it does not count.'
  })
)
const identities = (description: string) => Type.String({ minLength: 1, maxLength: 128, description })

/** The fields of a `private` proxy beside those common to all kinds. */
export const PrivateSpec = Type.Object({
  local: endpointField(localForms, 'The service: `host:port`, a port of this machine, or `unix:/path`.'),
  of: Type.Optional(
    Type.String({ pattern: NAME, description: 'The name under which it is visited. Default: `name` of the proxy.' })
  ),
  port: port('Tells several services of one name apart; opened nowhere. Default: none.'),
  protocol: protocol('What the service speaks. Default: tcp.'),
  secret: secret('What a visitor has to know. Stays with the clients: the server is not told.'),
  secretFile,
  allow: Type.Optional(
    Type.Array(identities('An identity; `*` stands for any characters.'), {
      minItems: 1,
      maxItems: 256,
      description: 'Identities that may visit. Default: the one of this client.'
    })
  ),
  sessionTimeout: limitFields.sessionTimeout,
  maxSessions: limitFields.maxSessions
})
export type PrivateSpec = ProxySpec & Static<typeof PrivateSpec>

/** The fields of an entry of `client.forwards` beside those common to all kinds. */
export const ForwardSpec = Type.Object({
  of: Type.String({ pattern: NAME, description: 'The name under which the service is visited.' }),
  port: port('The port that the proxy has beside its name. Default: none.'),
  protocol: protocol('As of the proxy. Default: tcp.'),
  secret: secret('The secret of the proxy, if it has one.'),
  secretFile,
  from: Type.Optional(
    identities('Visits a client of this identity and no other; `*` stands for any characters. Default: any identity.')
  ),
  bind: endpointField(
    bindForms,
    'Where programs of this machine connect to: `host:port`, or a port of 127.0.0.1; 0 is any free port.'
  ),
  ...limitFields
})
export type ForwardSpec = ProxySpec & Static<typeof ForwardSpec>

/** The name that the server looks up: `db`, `db:5432`, `dns/udp`. */
export const fullName = (named: Pick<ForwardSpec, 'of' | 'port' | 'protocol'>): string => {
  const { of, protocol: by = 'tcp' } = named
  return `${of}${named.port === undefined ? '' : `:${named.port}`}${by === 'tcp' ? '' : `/${by}`}`
}

/** The same of a proxy, which may leave its name to be that of the entry. */
export const nameOf = (spec: PrivateSpec): string => fullName({ ...spec, of: spec.of ?? spec.name })
