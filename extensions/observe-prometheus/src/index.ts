import { adminRoute, defineExtension, type Lifecycle } from '@rystra/plugin'
import net from 'node:net'
import { contentType } from './exposition.js'
import { MetricsListener } from './listener.js'
import { prometheusOptions } from './options.js'
import { MetricsRegistry } from './registry.js'

export type { PrometheusOptions } from './options.js'

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (net.isIPv4(host) && host.startsWith('127.'))

/** Metrics in the exposition format of Prometheus: on a listener of its own, and in the admin API. */
export default defineExtension({
  name: 'observe-prometheus',
  options: prometheusOptions,
  setup({ options, runtime, metrics, registries, log, ports }): Lifecycle {
    const registry = new MetricsRegistry(runtime, metrics, options)
    const { listen } = options
    const listener = listen === undefined ? undefined : new MetricsListener(listen, registry, log, ports)
    registries.adminRoutes.add({
      name: 'prometheus',
      routes: [
        adminRoute({
          method: 'GET',
          path: '/metrics',
          summary: 'Metrics in the text format of Prometheus.',
          contentType,
          handle: () => inPieces(registry)
        })
      ]
    })
    return {
      listens: listen === undefined ? [] : [{ host: listen.host, port: listen.port, exclusive: true }],
      async start() {
        await listener?.start()
        registry.start()
        if (listen === undefined) return
        const { host, port } = listener?.address ?? listen
        log.info({ host, port, path: listen.path }, 'metrics are served')
        if (!isLoopback(listen.host) && listen.token === undefined)
          log.warn(
            { host: listen.host },
            'metrics are readable by every peer that reaches this address: set listen.token'
          )
      },
      async stop() {
        registry.stop()
        await listener?.stop()
      }
    }
  }
})

async function* inPieces(registry: MetricsRegistry): AsyncGenerator<string> {
  yield* await registry.render()
}
