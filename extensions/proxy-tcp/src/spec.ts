import { endpointField, localForms } from '@rystra/address'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'

/** The fields of a `tcp` proxy beside those common to all kinds. */
export const TcpSpec = Type.Object({
  local: endpointField(
    { ...localForms, range: true },
    'The service: `host:port`, a port of this machine, or `unix:/path`. With a range of ports, `host:first-last`.'
  ),
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
