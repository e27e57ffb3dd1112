import { type ProxyKind, type ProxySpec, Type } from '@rystra/plugin'
import type { Socket } from 'node:net'

/** What a visit to a public port is told of. */
const visitorOf = ({ remoteAddress = '', remotePort = 0, localAddress = '', localPort = 0 }: Socket) => ({
  host: remoteAddress,
  port: remotePort,
  to: { host: localAddress, port: localPort }
})

/** A kind that is no more than right: any free port, and an address of the service. */
export const simpleKind = (change: Partial<ProxyKind> = {}): ProxyKind => ({
  kind: 'simple',
  spec: Type.Object(
    { local: Type.Optional(Type.String({ minLength: 1, description: 'Where the service is' })) },
    { additionalProperties: false }
  ),
  localFields: ['local'],
  async publish(_, host) {
    const { host: name, port } = await host.listen({}, (visitor) => host.relay(visitor, visitorOf(visitor)))
    return { address: `${name}:${port}` }
  },
  async reach(spec, host) {
    await host.relay(await host.connect(String(spec.local)))
  },
  ...change
})

export const simpleSpec = (local: string): ProxySpec => ({ name: 'simple', kind: 'simple', local })
