import { hostText } from '@rystra/address'
import { adminScopes, type Static, Type } from '@rystra/plugin'
import { serverTlsFields } from '@rystra/tls'

/** Default port of `listen`. */
const DEFAULT_PORT = 7080

const scope = Type.Union(
  adminScopes.map((name) => Type.Literal(name)),
  {
    default: 'read',
    description:
      'What the token allows: `read` shows everything, `operate` also ends sessions, streams and proxies, adds proxies and sets the log level, `admin` also changes the configuration. Default: read.'
  }
)

const listenEntry = Type.Object(
  {
    host: Type.String({
      ...hostText,
      default: '127.0.0.1',
      description: 'Address to bind. Other addresses than those of loopback need `tls`. Default: 127.0.0.1.'
    }),
    port: Type.Integer({
      default: DEFAULT_PORT,
      minimum: 0,
      maximum: 65_535,
      description: 'Port to bind; 0 for any free port. Default: 7080.'
    }),
    side: Type.Optional(
      Type.Union([Type.Literal('server'), Type.Literal('client')], {
        description:
          'The end that listens here, where a server and a client of one machine share the configuration. Default: each.'
      })
    ),
    tls: Type.Optional(
      Type.Object(serverTlsFields, {
        additionalProperties: false,
        description: 'Serves HTTPS. An empty object: with a self-signed certificate. Default: plain HTTP.'
      })
    )
  },
  { additionalProperties: false }
)

const tokenEntry = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64, description: 'Name of the token, for the log.' }),
    token: Type.String({
      pattern: '^(sha256:[0-9a-f]{64}|[\\x21-\\x7e]{16,1024})$',
      description:
        'The token, 16 characters or more; or `sha256:` and the hexadecimal SHA-256 of it, so that the configuration holds no secret.'
    }),
    scope: scope
  },
  { additionalProperties: false }
)

/** Options of the extension, for both ends. */
export const adminOptions = Type.Object(
  {
    socket: Type.Boolean({
      default: true,
      description:
        'Whether to listen on a unix socket in the state folder, which the owner of the process alone can use. Commands find it there. Default: true.'
    }),
    socketName: Type.Optional(
      Type.String({
        pattern: '^[a-z][a-z0-9-]{0,31}$',
        description:
          'Name of the file of the unix socket, for processes that share a state folder. Default: server, or client.'
      })
    ),
    forwarded: Type.Boolean({
      default: true,
      description:
        'In a cluster, whether calls for sessions and proxies of this server are served that another server passes on, with the name and the scope of its caller. Default: true.'
    }),
    requireSocket: Type.Boolean({
      default: false,
      description: 'Whether a failure to make the unix socket fails the start. Default: false, it is logged.'
    }),
    listen: Type.Array(listenEntry, {
      default: [],
      description:
        'Addresses of the API and the dashboard over TCP. Every request needs a token there. Default: an empty list.'
    }),
    tokens: Type.Array(tokenEntry, {
      default: [],
      description:
        'Tokens of callers over TCP. Default: with `listen` one of scope admin, which is made and kept in the state folder.'
    }),
    hosts: Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description:
        'Further names that a Host header may have, without port, for example of a reverse proxy in front. Default: localhost, and the addresses of `listen`.'
    }),
    connections: Type.Integer({
      default: 256,
      minimum: 1,
      maximum: 65_535,
      description: 'Maximum of connections of one listener. Default: 256.'
    }),
    readers: Type.Integer({
      default: 64,
      minimum: 1,
      maximum: 10_000,
      description: 'Maximum of readers of events at a time, such as open dashboards. Default: 64.'
    })
  },
  { additionalProperties: false }
)

export type AdminOptions = Static<typeof adminOptions>
export type ListenEntry = Static<typeof listenEntry>
export type TokenEntry = Static<typeof tokenEntry>
