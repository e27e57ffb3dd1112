import { type Static, Type } from '@rystra/plugin'

export const TcpOptions = Type.Object({
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
  })
})
export type TcpOptions = Static<typeof TcpOptions>
