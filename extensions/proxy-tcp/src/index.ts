import { defineExtension, type ProxyKind } from '@rystra/plugin'
import { expandRange } from './range.js'
import { TcpSpec } from './spec.js'

const tcp: ProxyKind<TcpSpec> = {
  kind: 'tcp',
  spec: TcpSpec,
  localFields: ['local'],
  expand: expandRange,

  async publish(spec, host) {
    const port = typeof spec.port === 'number' ? spec.port : 0
    const bound = await host.listen({ port, ...(spec.host === undefined ? {} : { host: spec.host }) }, (visitor) =>
      host.relay(visitor, {
        host: visitor.remoteAddress ?? 'unknown',
        port: visitor.remotePort ?? 0,
        to: { host: visitor.localAddress ?? 'unknown', port: visitor.localPort ?? 0 }
      })
    )
    return { address: bound.host.includes(':') ? `[${bound.host}]:${bound.port}` : `${bound.host}:${bound.port}` }
  },

  async reach(spec, host) {
    await host.relay(await host.connect(String(spec.local)))
  }
}

/** Services on TCP ports of the server. */
export default defineExtension({
  name: 'proxy-tcp',
  setup({ registries }) {
    registries.proxies.add(tcp)
  }
})
