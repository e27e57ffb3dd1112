import { endpointField, localForms, hostText } from '@rystra/address'
import { type ProxySpec, type Static, Type } from '@rystra/plugin'

/** The fields of a `tcp` proxy beside those common to all kinds. */
export const TcpSpec = Type.Object({
  local: endpointField(
    { ...localForms, range: true },
    'The service: `host:port`, a port of this machine, or `unix:/path`. With a range of ports, `host:first-last`.'
  ),
  port: Type.Optional(
    Type.Union(
      [
        Type.Integer({ minimum: 0, maximum: 65535 }),
        Type.String({ title: "a range such as '8000-8010'", pattern: '^\\d{1,5}-\\d{1,5}$' })
      ],
      {
        description: 'Public port, or a range `first-last` of them. Default: 0, any free port.'
      }
    )
  ),
  host: Type.Optional(
    Type.String({
      ...hostText,
      description:
        'Address to bind: `server.publish.host`, or any address of the machine where that is a wildcard. Default: `server.publish.host`.'
    })
  )
})
export type TcpSpec = ProxySpec & Static<typeof TcpSpec>
