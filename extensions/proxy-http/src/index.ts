import { defineExtension, type Listener, type ProxyKind, RystraError } from '@rystra/plugin'
import { beginsRequest } from './begins-request.js'
import { complete } from './expand.js'
import { TrustedProxies } from './forwarded.js'
import { Front, type World } from './front.js'
import { HttpOptions } from './options.js'
import { Pages } from './pages.js'
import type { HttpProxy } from './proxy.js'
import { publish } from './publish.js'
import { HttpSpec } from './spec.js'
import { Table } from './table.js'

/** Services by host and path on one shared port. */
export default defineExtension({
  name: 'proxy-http',
  options: HttpOptions,
  setup({ registries, options, log, dir, role, ports }) {
    let front: Front | undefined
    let world: World | undefined
    let listeners: Listener[] = []
    const closing = new AbortController()

    /** What is behind the host in addresses that are told. */
    const portShown = (): string => {
      const secure = options.public?.scheme === 'https'
      const port = options.public?.port ?? (secure ? 443 : listeners[0]?.address?.port)
      return port === undefined || port === (secure ? 443 : 80) ? '' : `:${port}`
    }

    const http: ProxyKind<HttpSpec> = {
      kind: 'http',
      spec: HttpSpec,
      localFields: ['local'],
      exposed: { by: 'requests' },
      expand: (spec) => [complete(spec, dir)],
      publish(spec, host) {
        if (world === undefined)
          throw new RystraError('kernel.state', { side: 'server', detail: 'proxy-http is not started' })
        return publish(spec, host, world, portShown)
      },
      async reach(spec, host) {
        await host.relay(await host.connect(String(spec.local)))
      },
      handOver(connection, from) {
        if (front === undefined) connection.destroy()
        else front.take(connection, from)
      }
    }
    registries.proxies.add(http)
    if (role === 'client') return undefined

    return {
      async start() {
        const trusted = new TrustedProxies(options.trustedProxies)
        const pages = Pages.read(options.errorPages, dir)
        world = { options, table: new Table<HttpProxy>(), trusted, pages, log }
        const made = new Front(world)
        front = made
        for (const { host, port } of options.listen) {
          listeners.push(
            await ports.listenTcp(
              { host, port, recognises: beginsRequest, onSocket: (socket) => made.accept(socket) },
              closing.signal
            )
          )
        }
        for (const { address } of listeners) log.info({ address }, 'visitors of http are taken')
      },
      async stop() {
        closing.abort()
        await Promise.all(listeners.map((listener) => listener.close()))
        listeners = []
        front?.close()
        front?.destroy()
      }
    }
  }
})
