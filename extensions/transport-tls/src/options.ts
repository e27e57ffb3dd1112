import { tcpFields } from '@rystra/net'
import { type Static, Type } from '@rystra/plugin'

export const TlsTransportOptions = Type.Object({
  ...tcpFields,
  handshakeTimeout: Type.Integer({
    default: 10_000,
    minimum: 100,
    description:
      'Milliseconds a TLS handshake may take, on either end: enough for two round trips with losses on the worst of links.'
  }),
  handshakes: Type.Integer({
    default: 1024,
    minimum: 1,
    description: 'TLS handshakes that may be under way at each listener; one more pushes out the oldest.'
  })
})
export type TlsTransportOptions = Static<typeof TlsTransportOptions>
