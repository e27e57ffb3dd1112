import { type Static, Type } from '@rystra/plugin'

export const TlsTransportOptions = Type.Object({
  keepAlive: Type.Integer({
    default: 30_000,
    minimum: 1000,
    description:
      'Milliseconds of silence after which the kernel probes a connection. Below the minute after which common NATs forget one.'
  }),
  backlog: Type.Integer({
    default: 4096,
    minimum: 1,
    description:
      'Connections that may wait to be accepted, for the time after a restart when all clients come back at once. The kernel may hold it lower (net.core.somaxconn).'
  }),
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
