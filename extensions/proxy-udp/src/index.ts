import { type Clock, defineExtension, type ProxyKind, type Static, Type } from '@rystra/plugin'
import { DatagramMetrics, liveService, UdpServices } from '@rystra/udp'
import { checkSpec } from './check-spec.js'
import { publishUdp } from './publish.js'
import { UdpSpec } from './spec.js'

const udp = (clock: Clock, { native }: UdpOptions, metrics: DatagramMetrics): ProxyKind<UdpSpec> => ({
  kind: 'udp',
  spec: UdpSpec,
  localFields: ['local'],
  connects: false,
  // Answers leave from the port that visitors know.
  endedBy: ['port', 'host'],

  expand(spec) {
    checkSpec(spec)
    return [spec]
  },

  publish: (spec, host) => publishUdp(spec, host, { clock, native, metrics }),

  async reach(spec, host) {
    checkSpec(spec)
    const { datagrams } = host
    const log = host.log.child({ proxy: spec.name })
    const services = new UdpServices({
      stream: host.accept(),
      ...(datagrams === undefined ? {} : { datagrams }),
      // Sessions that begin after a change of the entry are with the service that it names then.
      ...liveService(() => host.spec as UdpSpec),
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
