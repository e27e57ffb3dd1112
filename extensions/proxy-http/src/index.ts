import { type HostKind, hostKind, httpChallenge } from '@rystra/net'
import { defineExtension, type Listener, RystraError } from '@rystra/plugin'
import { beginsRequest } from './begins-request.js'
import { complete } from './expand.js'
import { TrustedProxies } from '@rystra/address'
import { Front } from './front.js'
import { observersIn, type Watch } from './observe.js'
import { HttpOptions } from './options.js'
import { Pages } from './pages.js'
import { publish } from './publish.js'
import { routingOf } from './routing.js'
import { formOf, leave, type Place, placeOf, type Serving } from './serving.js'
import { HttpSpec } from './spec.js'
import { watchService } from './watched-service.js'

const kindAt = (place: Place | undefined, dir: string, watch: Watch): HostKind<HttpSpec> => ({
  kind: 'http',
  spec: HttpSpec,
  localFields: ['local'],
  exposed: { by: 'requests' },
  ...(place === undefined ? {} : { routing: routingOf(place) }),
  expand: (spec) => [complete(spec, dir)],
  async publish(spec, host) {
    const serving = place?.serving
    if (place === undefined || serving === undefined)
      throw new RystraError('kernel.state', { side: 'server', detail: 'proxy-http is not started' })
    return publish(spec, host, place.table, serving)
  },
  checkHost: (host, identity) => place?.table.check(host, identity),
  hosts: () => place?.table.hosts() ?? [],
  routes: () => place?.table.routes() ?? [],
  async reach(spec, host) {
    const local = String(spec.local)
    const service = await host.connect(local)
    const { observers } = watch
    await host.relay(observers === undefined ? service : watchService(service, spec, host, observers))
  },
  handOver(connection, from) {
    const front = place?.serving?.front
    if (front === undefined) connection.destroy()
    else front.take(connection, from)
  }
})

/** Services by host and path on one shared port. */
export default defineExtension({
  name: 'proxy-http',
  options: HttpOptions,
  setup({ hooks, registries, options, log, dir, role, ports, runtime }) {
    const watch: Watch = { observers: undefined }
    const findObservers = (): void => {
      watch.observers = observersIn(registries)
    }
    if (role === 'client') {
      registries.proxies.add(kindAt(undefined, dir, watch))
      hooks.onReload.tap(findObservers)
      return { start: findObservers }
    }
    const trusted = new TrustedProxies(options.trustedProxies, 'proxy-http: trustedProxies')
    const place = placeOf(ports)
    const form = formOf(options)
    const { serving: running } = place
    const kept = form !== undefined && running?.form === form
    const kind = kept ? running.kind : kindAt(place, dir, watch)
    registries.proxies.add(kind)

    let front: Front | undefined
    let serving: Serving | undefined
    /** The generation before this one; it serves again when this start fails. */
    let before: Serving | undefined
    let listeners: Listener[] = []
    const closing = new AbortController()
    let endEvents: (() => void) | undefined

    const portShown = (): string => {
      const secure = options.public?.scheme === 'https'
      const port = options.public?.port ?? (secure ? 443 : listeners[0]?.address?.port)
      return port === undefined || port === (secure ? 443 : 80) ? '' : `:${port}`
    }

    const addresses = () => listeners.flatMap(({ address }) => address ?? [])

    hooks.onReload.tap(() => {
      findObservers()
      before?.front.retire()
      before = undefined
    })

    return {
      listens: options.listen,
      async start() {
        const pages = Pages.read(options.errorPages, dir)
        const challenge = (name: string, path: string): string | undefined => httpChallenge(registries, name, path)
        findObservers()
        const world = { options, table: place.table, trusted, pages, log, challenge, watch, ports }
        const made = new Front(world)
        front = made
        for (const { host, port, proxyProtocolFrom } of options.listen) {
          listeners.push(
            await ports.listenTcp(
              { host, port, proxyProtocolFrom, recognises: beginsRequest, onSocket: (socket) => made.accept(socket) },
              closing.signal
            )
          )
        }
        before = place.serving
        const checkOtherKind = (name: string, identity: string): void =>
          hostKind(registries, 'https')?.checkHost(name, identity)
        endEvents = runtime.events.subscribe(({ type }) => {
          if (type === 'upgrade.done') made.drain()
        })
        serving = { form, kind, options, front: made, portShown, addresses, checkOtherKind }
        place.serving = serving
        for (const { address } of listeners) log.info({ address }, 'visitors of http are taken')
      },
      async stop() {
        const replaced = serving !== undefined && place.serving !== serving
        if (serving !== undefined && !replaced) place.serving = before
        endEvents?.()
        closing.abort()
        await Promise.all(listeners.map((listener) => listener.close()))
        listeners = []
        if (!replaced) await front?.finish()
        if (front !== undefined) leave(place, front, replaced)
        front = undefined
      }
    }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/proxy-http': Partial<HttpOptions>
  }
}
