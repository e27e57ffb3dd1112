import { hostPort } from '@rystra/address'
import type { Clock, Published, PublishHost, SessionInfo } from '@rystra/plugin'
import { type DatagramMetrics, limitsOf, UdpVisitors, type UdpVisitorsOptions } from '@rystra/udp'
import type { Socket } from 'node:dgram'
import type { UdpSpec } from './spec.js'

/** What the server half works with. */
export interface PublishParts {
  readonly clock: Clock
  readonly metrics: DatagramMetrics
  /** Whether the native part is used where there is one. */
  readonly native: boolean
}

/** What reads a socket now. */
interface Reader {
  readonly visitors: UdpVisitors
  /** That of the stream: with another one, or another way to carry datagrams, the stream is opened anew. */
  readonly session: SessionInfo
  readonly reliable: boolean
  unwatch(): void
}

/** Sockets outlive a proxy that is changed, and the instance of the extension that published it. */
const readers = new WeakMap<Socket, Reader>()

/** Publishes on a UDP port. A changed proxy that keeps its port keeps its visitors. */
export const publishUdp = async (
  { name, port = 0, host: at, reliable = false, ...fields }: UdpSpec,
  host: PublishHost,
  { clock, metrics, native }: PublishParts
): Promise<Published> => {
  const { address, socket } = await host.listenUdp({ port, reuse: true, ...(at === undefined ? {} : { host: at }) })
  const options: UdpVisitorsOptions = {
    socket,
    address,
    limits: limitsOf(fields),
    // One stream for all visitors: hooks are asked per sender instead.
    open: (signal) => host.openStream({ ...address, to: address }, { signal, datagrams: !reliable, carrier: true }),
    admit: (visitor) => host.admit(visitor),
    native,
    clock,
    log: host.log
  }
  const session = host.session
  const before = readers.get(socket)
  const visitors = before?.visitors ?? new UdpVisitors(options)
  if (before !== undefined) {
    before.unwatch()
    visitors.change(options, before.session !== session || before.reliable !== reliable)
  }
  const unwatch = metrics.watch(name, visitors)
  readers.set(socket, { visitors, session, reliable, unwatch })
  const close = (): void => {
    unwatch()
    if (!visitors.isBy(options)) return
    readers.delete(socket)
    visitors.close()
  }
  host.signal.addEventListener('abort', close, { once: true })
  return { address: hostPort(address.host, address.port), close }
}
