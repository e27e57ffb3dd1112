import { tcpFields } from '@rystra/net'
import { type Static, Type } from '@rystra/plugin'

export const TlsTransportOptions = Type.Object({
  ...tcpFields,
  handshakeTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    description:
      'Milliseconds until a TLS handshake must be done, on either end. Default: 10000, two round trips with losses on a bad link.'
  }),
  handshakes: Type.Integer({
    default: 1024,
    minimum: 1,
    description:
      'Maximum of TLS handshakes in progress at each listener; one more evicts the peer that has been silent for the longest. As many more may wait for their turn. Default: 1024.'
  })
})
export type TlsTransportOptions = Static<typeof TlsTransportOptions>
