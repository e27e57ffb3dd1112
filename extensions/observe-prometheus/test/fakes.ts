import {
  emptyRuntime,
  type MetricSnapshot,
  type Metrics,
  type ProxyHandle,
  type Runtime,
  type SessionHandle,
  type SessionInfo,
  type TrafficStats
} from '@rystra/plugin'
import type { PrometheusOptions } from '../src/options.js'

export const defaults: PrometheusOptions = { maxSeries: 2000, proxies: true, clients: true, process: true }

const traffic = (n: number): TrafficStats => ({
  streams: n,
  opened: 10 * n,
  carriers: 0,
  bytesToService: 100 * n,
  bytesToVisitor: 1000 * n,
  connectTimes: { count: n, sum: 5 * n, last: 5 },
  refused: n === 0 ? {} : { 'stream.limit': n }
})

export const session = (client: string, identity = 'home'): SessionInfo => ({
  id: `session of ${client}`,
  identity: { id: identity },
  client: { id: client, instance: 'i', agent: 'rystra/0.1.0' },
  peer: { address: '127.0.0.1', port: 1 },
  transport: 'tls',
  muxer: 'yamux',
  since: 0
})

export const proxyHandle = (name: string, n = 1, client = 'nas', healthy = true): ProxyHandle => ({
  id: `${client}.${name}`,
  info: { spec: { name, kind: 'tcp' }, state: 'published', session: session(client), address: '127.0.0.1:1', healthy },
  stats: () => traffic(n),
  close: () => {}
})

export const sessionHandle = (client: string, n = 1): SessionHandle => ({
  id: `session of ${client}`,
  info: session(client),
  stats: () => ({ ...traffic(n), proxies: 1, channels: 2, rtt: 25, muxer: { queued: 7, blocked: 1 } }),
  close: () => {}
})

/** A runtime with what is given, and numbers of the whole. */
export const runtimeWith = (fields: Partial<Runtime>): Runtime => ({
  ...emptyRuntime('server'),
  stats: () => ({ ...traffic(3), since: 1_700_000_000_000, sessions: 2, sessionsOpened: 4, proxies: 1, generation: 1 }),
  listeners: () => [
    {
      id: 'tls://0.0.0.0:7000',
      info: { transport: 'tls', host: '0.0.0.0', port: 7000, since: 0 } as never,
      stats: () => ({ accepted: 9, open: 2, refused: { 'auth.refused': 3 } })
    }
  ],
  extensions: () => [
    {
      name: 'hook-acl',
      options: {},
      registers: [],
      requires: [],
      provides: [],
      taps: [
        {
          hook: 'onOpenStream',
          extension: 'hook-acl',
          stage: 0,
          onFailure: 'closed',
          calls: 5,
          errors: 1,
          timeouts: 0,
          skipped: 0,
          totalMs: 250
        }
      ]
    }
  ],
  ...fields
})

export const metricsWith = (snapshot: readonly MetricSnapshot[]): Metrics => ({
  counter: () => ({ add: () => {} }),
  gauge: () => ({ set: () => {} }),
  collect: () => () => {},
  snapshot: () => snapshot
})
