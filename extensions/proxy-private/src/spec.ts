import { bindForms, endpointField, localForms } from '@rystra/address'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'
import { limitFields } from '@rystra/udp'

/**
 * Leaves room for the port and the protocol in the 128 characters of a name on the wire. Invisible and bidirectional
 * characters are refused.
 */
export const NAME = '^[^\\x00-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069:/]{1,117}$'

const NAME_FORM = 'a name of 1 to 117 characters without : and /'

const port = (description: string) => Type.Optional(Type.Integer({ minimum: 1, maximum: 65535, description }))
const protocol = (description: string) =>
  Type.Optional(Type.Union([Type.Literal('tcp'), Type.Literal('udp')], { description }))
const secret = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 1024, secret: true, description }))
const secretFile = Type.Optional(
  Type.String({
    minLength: 1,
    secret: false,
    file: 'secret',
    description:
      'File with the secret, relative to the configuration; surrounding white space is ignored. Default: none.'
  })
)
const identities = (description: string) => Type.String({ minLength: 1, maxLength: 128, description })

/** The fields of a `private` proxy beside those common to all kinds. */
export const PrivateSpec = Type.Object({
  local: endpointField(localForms, 'The service: `host:port`, a port of this machine, or `unix:/path`.'),
  of: Type.Optional(
    Type.String({
      title: NAME_FORM,
      pattern: NAME,
      description: 'Name under which it is visited. Default: `name` of the proxy.'
    })
  ),
  port: port('Distinguishes services of one name; not bound. Default: none.'),
  protocol: protocol('Protocol of the service. Default: tcp.'),
  secret: secret(
    'Secret that a visitor must prove. It is known to the clients only, not to the server. Default: none.'
  ),
  secretFile,
  allow: Type.Optional(
    Type.Array(identities('An identity; `*` matches any characters.'), {
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
  of: Type.String({ title: NAME_FORM, pattern: NAME, description: 'The name under which the service is visited.' }),
  port: port('`port` of the proxy. Default: none.'),
  protocol: protocol('`protocol` of the proxy. Default: tcp.'),
  secret: secret('Secret of the proxy. Default: none.'),
  secretFile,
  from: Type.Optional(identities('Required identity of the owner; `*` matches any characters. Default: any.')),
  bind: endpointField(
    bindForms,
    'Local address of the forward: `host:port`, or a port of 127.0.0.1; 0 for any free port.'
  ),
  ...limitFields
})
export type ForwardSpec = ProxySpec & Static<typeof ForwardSpec>

/** The name for the server: `db`, `db:5432`, `dns/udp`. */
export const fullName = (named: Pick<ForwardSpec, 'of' | 'port' | 'protocol'>): string => {
  const { of, protocol: by = 'tcp' } = named
  return `${of}${named.port === undefined ? '' : `:${named.port}`}${by === 'tcp' ? '' : `/${by}`}`
}

/** The same for a proxy, whose name defaults to that of the entry. */
export const nameOf = (spec: PrivateSpec): string => fullName({ ...spec, of: spec.of ?? spec.name })
