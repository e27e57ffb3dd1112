import { hostPort } from '@rystra/address'
import { defineExtension, type ProxyKind, RystraError } from '@rystra/plugin'
import { expandRange } from './range.js'
import { TcpSpec } from './spec.js'

const tcp: ProxyKind<TcpSpec> = {
  kind: 'tcp',
  spec: TcpSpec,
  localFields: ['local'],
  expand: expandRange,

  async publish(spec, host) {
    // A client registers one proxy per port of a range: binding another port would be wrong.
    if (typeof spec.port === 'string') {
      throw new RystraError('proxy.invalid', { side: 'client', detail: `${spec.name}: a range was not expanded` })
    }
    const bound = await host.listen({
      port: spec.port ?? 0,
      ...(spec.host === undefined ? {} : { host: spec.host })
    })
    return { address: hostPort(bound.host, bound.port) }
  },

  async reach(spec, host) {
    await host.relayTo(String(spec.local))
  }
}

/** Services on TCP ports of the server. */
export default defineExtension({
  name: 'proxy-tcp',
  setup({ registries }) {
    registries.proxies.add(tcp)
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/proxy-tcp': Record<never, never>
  }
}
