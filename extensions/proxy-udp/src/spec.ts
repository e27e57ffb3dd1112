import { endpointField, hostText } from '@rystra/address'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'
import { limitFields, udpForms } from '@rystra/udp'

/** The fields of a `udp` proxy beside those common to all kinds. */
export const UdpSpec = Type.Object({
  local: endpointField(udpForms, 'The service: `host:port`, `[v6]:port`, or a port of 127.0.0.1.'),
  port: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 65_535, description: 'Public port. Default: 0, any free port.' })
  ),
  host: Type.Optional(
    Type.String({
      ...hostText,
      description:
        'Address to bind: `server.publish.host`, or any address of the machine where that is a wildcard. Default: `server.publish.host`.'
    })
  ),
  reliable: Type.Optional(
    Type.Boolean({
      description:
        'Whether datagrams always use the stream, also with a datagram transport: none is lost, and each waits for earlier ones. Default: false.'
    })
  ),
  ...limitFields
})
export type UdpSpec = ProxySpec & Static<typeof UdpSpec>
