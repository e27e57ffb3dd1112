import { hostPort } from '@rystra/address'
import { type Clock, defineExtension, type ProxyKind, type Static, Type } from '@rystra/plugin'
import { DatagramMetrics, limitsOf, UdpServices, UdpVisitors } from '@rystra/udp'
import { checkSpec } from './check-spec.js'
import { UdpSpec } from './spec.js'

const udp = (clock: Clock, { native }: UdpOptions, metrics: DatagramMetrics): ProxyKind<UdpSpec> => ({
  kind: 'udp',
  spec: UdpSpec,
  localFields: ['local'],
  connects: false,

  expand(spec) {
    checkSpec(spec)
    return [spec]
  },

  async publish({ name, port = 0, host: at, reliable = false, ...fields }, host) {
    const { address, socket } = await host.listenUdp({ port, ...(at === undefined ? {} : { host: at }) })
    const visitors = new UdpVisitors({
      socket,
      address,
      limits: limitsOf(fields),
      // One stream for all visitors: hooks are asked per sender instead.
      open: (signal) => host.openStream({ ...address, to: address }, { signal, datagrams: !reliable, carrier: true }),
      admit: (visitor) => host.admit(visitor),
      native,
      clock,
      log: host.log
    })
    const unwatch = metrics.watch(name, visitors)
    const close = (): void => {
      visitors.close()
      unwatch()
    }
    host.signal.addEventListener('abort', close, { once: true })
    return {
      address: hostPort(address.host, address.port),
      close
    }
  },

  async reach(spec, host) {
    checkSpec(spec)
    const { datagrams } = host
    const log = host.log.child({ proxy: spec.name })
    const services = new UdpServices({
      stream: host.accept(),
      ...(datagrams === undefined ? {} : { datagrams }),
      local: String(spec.local),
      limits: limitsOf(spec),
      native,
      clock,
      log
    })
    const unwatch = metrics.watch(spec.name, services)
    const error = await services.done
    unwatch()
    if (error !== undefined) log.info({ err: error }, 'the stream for datagrams was lost')
  }
})

const UdpOptions = Type.Object({
  native: Type.Boolean({
    default: true,
    description:
      'Send and receive datagrams in batches by the native part (@rystra/native), where it has a binary for the platform. Default: true.'
  })
})
type UdpOptions = Static<typeof UdpOptions>

/** Services on UDP ports of the server. */
export default defineExtension({
  name: 'proxy-udp',
  options: UdpOptions,
  setup({ registries, clock, options, metrics }) {
    const datagrams = new DatagramMetrics(metrics)
    registries.proxies.add(udp(clock, options, datagrams))
    return { stop: () => datagrams.close() }
  }
})

declare module '@rystra/plugin' {
  interface ExtensionOptions {
    '@rystra/proxy-udp': Partial<UdpOptions>
  }
}
