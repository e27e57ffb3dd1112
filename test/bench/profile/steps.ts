import type { Address } from '../address.js'
import { benchHost } from '../host.js'
import type { Count, Direction } from '../load/bulk.js'
import type { DatagramDirection, DatagramTask, Passed } from '../load/datagrams.js'
import type { Load } from '../load/index.js'
import type { RequestRates } from '../load/requester.js'
import type { Latency } from '../load/trips.js'
import { settle } from '../measure.js'
import type { Published, Tunnel, Way } from '../peers/rystra.js'
import { webPort } from '../peers/rystra.js'

/** Bytes of one unit of a step that moves bytes. */
const MEGABYTE = 1_000_000

/** A tunnel under load. */
export interface Target {
  readonly address: Address
  /** Of the service. */
  readonly port: number
  readonly load: Load
  readonly tunnel: Tunnel
}

/** Units that were done: the costs are divided by their number. */
export interface Done {
  readonly units: number
  /** What the load saw, for people. */
  readonly seen: string
}

/** Called when the costs begin to count, and when they end. */
export interface Counting {
  begin(): void
  end(): void
}

/** Loads a tunnel with about `share` of the usual number of units. */
type Run = (target: Target, share: number, counting: Counting) => Promise<Done>

/** One thing that is profiled. */
export interface Step {
  readonly name: string
  readonly unit: string
  readonly way: Way
  readonly published: Published
  /** Which service it ends at. */
  readonly service: 'service' | 'web' | 'datagrams'
  readonly run: Run
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Milliseconds until a step gives up: on a slow machine it counts fewer units. */
const LONGEST_MS = 20_000

const bulk =
  (direction: Direction, streams: number): Run =>
  async ({ address, port, load }, share, { begin, end }) => {
    const { visitor, service } = load
    const count = (): Promise<Count> =>
      direction === 'up' ? service.call<Count>('count', port) : visitor.call<Count>('count')
    const passed = async (from: Count, megabytes: number): Promise<Count> => {
      for (;;) {
        await pause(20)
        const now = await count()
        if (now.bytes - from.bytes >= megabytes * MEGABYTE || now.at - from.at > LONGEST_MS) return now
      }
    }
    try {
      await visitor.call('bulk', { address, direction, streams }, 20_000)
      const before = await passed(await count(), 250 * share)
      begin()
      const after = await passed(before, 500 * share)
      end()
      const units = (after.bytes - before.bytes) / MEGABYTE
      return { units, seen: `${((units * 8) / (after.at - before.at)).toFixed(2)} Gbit/s` }
    } finally {
      await visitor.call('stop')
      await settle(load, port)
    }
  }

const connections: Run = async ({ address, port, load }, share, { begin, end }) => {
  const make = async (count: number): Promise<Done> => {
    const task = { address, milliseconds: LONGEST_MS, count }
    const start = performance.now()
    const rate = await load.visitor.call<number>('connections', task)
    const units = Math.round((rate * (performance.now() - start)) / 1000)
    await settle(load, port)
    return { units, seen: `${rate.toFixed(0)} a second` }
  }
  await make(1000 * share)
  begin()
  const done = await make(1500 * share)
  end()
  return done
}

const trips: Run = async ({ address, port, load }, share, { begin, end }) => {
  const count = 4000 * share
  await load.visitor.call<Latency>('trips', { address, trips: Math.ceil(count / 2) })
  begin()
  const { p50, p99 } = await load.visitor.call<Latency>('trips', { address, trips: count })
  end()
  await settle(load, port)
  return { units: count * 1.1, seen: `p50 ${p50.toFixed(0)} µs, p99 ${p99.toFixed(0)} µs` }
}

/** Milliseconds after which the loss of a session is an outage of its own, so that the client dials at once. */
const SETTLED_MS = 1100

/** Clients whose links are reset together, and which dial, authenticate and publish again; four times, the first to warm up. */
const sessions: Run = async ({ tunnel }, share, { begin, end }) => {
  const clients = Math.max(8, Math.round(100 * share))
  await tunnel.more(clients - 1)
  const comeBack = async (): Promise<number> => {
    await pause(SETTLED_MS)
    const start = performance.now()
    const back = tunnel.client.remote.call('back')
    await tunnel.server.remote.call('cut')
    await back
    return performance.now() - start
  }
  await comeBack()
  begin()
  const times = [await comeBack(), await comeBack(), await comeBack()]
  end()
  return { units: clients * times.length, seen: `${clients} within ${Math.max(...times).toFixed(0)} ms` }
}

const requests: Run = async ({ address, load }, share, { begin, end }) => {
  const ask = (milliseconds: number): Promise<RequestRates> =>
    load.requester.call<RequestRates>('ask', { address, places: [`${benchHost}/`], connections: 16, milliseconds })
  await ask(1500 * share)
  begin()
  const milliseconds = 2000 * share
  const { perSecond, p50 } = await ask(milliseconds)
  end()
  return {
    units: (perSecond * milliseconds) / 1000,
    seen: `${perSecond.toFixed(0)} a second, p50 ${p50.toFixed(0)} µs`
  }
}

/** Datagrams on their way at a time, of eight visitors together. */
const DATAGRAM_WINDOW = 256

const datagrams =
  (direction: DatagramDirection): Run =>
  async ({ address, port, load }, share, { begin, end }) => {
    const task: DatagramTask = {
      address,
      port,
      direction,
      size: 1200,
      milliseconds: 1500 * share,
      window: DATAGRAM_WINDOW
    }
    const flow = (milliseconds: number): Promise<Passed> =>
      load.datagrams.call<Passed>('flow', { ...task, milliseconds }, LONGEST_MS)
    await flow(500 * share)
    begin()
    const { count, perSecond } = await flow(1500 * share)
    end()
    return { units: count, seen: `${perSecond.toFixed(0)} a second` }
  }

const udpPort: Published = {
  proxy: { kind: 'udp' },
  server: () => ['@rystra/proxy-udp'],
  client: ['@rystra/proxy-udp']
}

const tcpPort: Published = { proxy: { kind: 'tcp' } }
const httpHost: Published = {
  proxy: { kind: 'http', host: benchHost },
  server: () => [webPort],
  client: ['@rystra/proxy-http']
}

const transports = {
  tcp: '@rystra/transport-tcp',
  tls: '@rystra/transport-tls',
  wss: '@rystra/transport-ws',
  http2: '@rystra/transport-http2',
  quic: '@rystra/transport-quic'
} as const

const way = (transport: keyof typeof transports, muxer?: string): Way => ({
  transport,
  package: transports[transport],
  ...(muxer === undefined ? {} : { muxer })
})

const ways: Readonly<Record<string, Way>> = {
  direct: way('tcp', 'direct'),
  yamux: way('tcp', 'yamux'),
  'tls-direct': way('tls', 'direct'),
  'tls-yamux': way('tls', 'yamux'),
  'wss-yamux': way('wss', 'yamux'),
  http2: way('http2'),
  quic: way('quic')
}

const loads: readonly [string, string, Run][] = [
  ['up', 'MB', bulk('up', 1)],
  ['down', 'MB', bulk('down', 1)],
  ['up8', 'MB', bulk('up', 8)],
  ['down8', 'MB', bulk('down', 8)],
  ['connections', 'connection', connections],
  ['trips', 'round trip', trips],
  ['sessions', 'session', sessions]
]

/** Every step, named `<way>-<load>`. */
export const steps: readonly Step[] = Object.entries(ways).flatMap(([name, over]): Step[] => [
  ...loads.map(
    ([load, unit, run]): Step => ({
      name: `${name}-${load}`,
      unit,
      way: over,
      published: tcpPort,
      service: 'service',
      run
    })
  ),
  ...(['up', 'down'] as const).map(
    (direction): Step => ({
      name: `${name}-datagrams-${direction}`,
      unit: 'datagram',
      way: over,
      published: udpPort,
      service: 'datagrams',
      run: datagrams(direction)
    })
  ),
  { name: `${name}-requests`, unit: 'request', way: over, published: httpHost, service: 'web', run: requests }
])

/** The steps that each name stands for: its own, or all that have it in theirs. Throws for one that stands for none. */
export const stepsNamed = (names: readonly string[]): readonly Step[] => {
  const found = names.flatMap((part) => {
    const exact = steps.filter(({ name }) => name === part)
    const some = exact.length > 0 ? exact : steps.filter(({ name }) => name.includes(part))
    if (some.length === 0) throw new Error(`no step has ${part} in its name: see --help`)
    return some
  })
  return [...new Set(found)]
}

/** What is profiled when nothing is asked for. */
export const usualSteps = [
  'tls-yamux-up',
  'tls-yamux-down',
  'tls-direct-up',
  'tls-direct-down',
  'yamux-up',
  'direct-up',
  'direct-connections',
  'yamux-connections',
  'tls-yamux-connections',
  'direct-trips',
  'yamux-trips',
  'tls-yamux-trips',
  'tls-yamux-sessions',
  'yamux-requests'
]
