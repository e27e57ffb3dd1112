import { type ProxySpec, type Static, Type } from '@rystra/plugin'

/** `handler:name`; `unix:/path`; or a port or a range of them, with a name, an IPv4 address or an IPv6 address in brackets in front. */
const LOCAL = '^(handler:.+|unix:.+|(\\[[0-9A-Fa-f:.]+(%[^\\]\\s]+)?\\]:|[^:\\[\\]\\s]+:)?\\d{1,5}(-\\d{1,5})?)$'

/** The fields of a `tcp` proxy beside those common to all kinds. */
export const TcpSpec = Type.Object({
  local: Type.Union([Type.String({ pattern: LOCAL }), Type.Integer({ minimum: 1, maximum: 65535 })], {
    description:
      'The service: `host:port`, a port of 127.0.0.1, or `unix:/path`. With a range of ports, `host:first-last`.'
  }),
  port: Type.Optional(
    Type.Union([Type.Integer({ minimum: 0, maximum: 65535 }), Type.String({ pattern: '^\\d{1,5}-\\d{1,5}$' })], {
      description: 'The public port; a range `first-last` publishes each of them. Left out or 0: any free port.'
    })
  ),
  host: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The address the server binds: `server.publish.host`, or any of the machine where that means all. Default: `server.publish.host`.'
    })
  )
})
export type TcpSpec = ProxySpec & Static<typeof TcpSpec>
