import { type Static, Type } from '@rystra/plugin'

export const mdnsOptions = Type.Object({
  announce: Type.Array(
    Type.Object(
      {
        name: Type.String({ description: 'Name under which clients look for the server: 1 to 63 bytes.' }),
        transport: Type.String({ description: 'Transport to dial it by: `tls`.' }),
        port: Type.Integer({ minimum: 1, maximum: 65_535, description: 'Port that this transport listens on.' }),
        fingerprint: Type.Optional(
          Type.String({
            description: 'Fingerprint of the certificate, so that clients with a pin skip other servers. Default: none.'
          })
        )
      },
      { additionalProperties: false }
    ),
    { default: [], description: 'What a server announces. Without effect on a client. Default: nothing.' }
  ),
  interface: Type.Optional(
    Type.String({
      pattern: '^\\d{1,3}(\\.\\d{1,3}){3}$',
      description: 'IPv4 address of the one network interface to use. Default: all interfaces.'
    })
  ),
  port: Type.Integer({
    default: 5353,
    minimum: 1,
    maximum: 65_535,
    description: 'UDP port of mDNS. Another one is only found by those who use it too. Default: 5353.'
  })
})

export type MdnsOptions = Static<typeof mdnsOptions>
