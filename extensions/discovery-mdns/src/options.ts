import { type Static, Type } from '@rystra/plugin'

export const mdnsOptions = Type.Object({
  announce: Type.Array(
    Type.Object(
      {
        name: Type.String({ description: 'Name under which clients look for the server: 1 to 63 bytes. Required.' }),
        transport: Type.String({ description: 'Transport with which clients dial the server: `tls`. Required.' }),
        port: Type.Integer({
          minimum: 1,
          maximum: 65_535,
          description: 'Port on which this transport listens. Required.'
        }),
        fingerprint: Type.Optional(
          Type.String({
            description: 'Fingerprint of the certificate, so that clients with a pin skip other servers. Default: none.'
          })
        )
      },
      { additionalProperties: false }
    ),
    { default: [], description: 'Listeners that a server announces; not used on a client. Default: none.' }
  ),
  interface: Type.Optional(
    Type.String({
      title: 'an IPv4 address such as 192.168.1.10',
      pattern: '^\\d{1,3}(\\.\\d{1,3}){3}$',
      description: 'IPv4 address of the one network interface to use. Default: all interfaces.'
    })
  ),
  port: Type.Integer({
    default: 5353,
    minimum: 1,
    maximum: 65_535,
    description: 'UDP port of mDNS. Clients that look for the server need the same port. Default: 5353.'
  })
})

export type MdnsOptions = Static<typeof mdnsOptions>
