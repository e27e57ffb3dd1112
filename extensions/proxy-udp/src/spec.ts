import { endpointField } from '@rystra/address'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'
import { limitFields, udpForms } from '@rystra/udp'

/** The fields of a `udp` proxy beside those common to all kinds. */
export const UdpSpec = Type.Object({
  local: endpointField(udpForms, 'The service: `host:port`, `[v6]:port`, or a port of 127.0.0.1.'),
  port: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 65_535, description: 'The public port. Left out or 0: any free port.' })
  ),
  host: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'The address the server binds: `server.publish.host`, or any of the machine where that means all. Default: `server.publish.host`.'
    })
  ),
  reliable: Type.Optional(
    Type.Boolean({
      description:
        'Whether datagrams go over the stream also where the session has datagrams of its own: none is lost on the way, and each waits for those before it. Default: false.'
    })
  ),
  ...limitFields
})
export type UdpSpec = ProxySpec & Static<typeof UdpSpec>
