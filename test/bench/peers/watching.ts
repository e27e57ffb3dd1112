import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { freePort, loopback } from '../address.js'
import { benchHost } from '../host.js'
import { Remote } from '../load/remote.js'
import type { Peer } from '../peer.js'
import type { Scratch } from '../scratch.js'
import { startTunnel, type Use, webPort } from './rystra.js'

const path = (name: string): string => fileURLToPath(new URL(`../relays/${name}`, import.meta.url))
const token = 'bench-admin-token-0123456789'

/** What is watched at both ends. */
export interface Watched {
  /** The admin API, with a dashboard that is open. */
  readonly dashboard?: boolean
  /** Metrics, scraped each second. */
  readonly metrics?: boolean
  /** Share of the traces that are exported. */
  readonly traces?: number
  /** HTTP requests are kept. */
  readonly inspect?: boolean
}

const startWatcher = (scratch: Scratch): Remote => {
  const child = fork(path('watcher.mjs'), [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  scratch.adopt(child, 'watcher')
  return new Remote(child)
}

/** A tunnel over yamux whose ends are watched. @param web proxy-http instead of proxy-tcp */
export const watched = (name: string, title: string, watching: Watched, web = false): Peer => ({
  name,
  title,
  programs: [],
  async start(service, scratch) {
    const { dashboard = false, metrics = false, traces, inspect = false } = watching
    const watcher = startWatcher(scratch)
    const { url } = await watcher.call<{ url?: string }>('start', { traces: traces !== undefined })
    const ports = { dashboards: [] as number[], metrics: [] as number[] }
    const extensions = async (): Promise<Use[]> => {
      const uses: Use[] = []
      if (dashboard) {
        const port = await freePort()
        ports.dashboards.push(port)
        const options = {
          socket: false,
          listen: [{ host: loopback, port }],
          tokens: [{ name: 'bench', token, scope: 'admin' }]
        }
        uses.push({ use: '@rystra/admin-http', options })
      }
      if (metrics) {
        const port = await freePort()
        ports.metrics.push(port)
        uses.push({ use: '@rystra/observe-prometheus', options: { listen: { port } } })
      }
      if (traces !== undefined)
        uses.push({ use: path('otel-sdk.mjs'), options: { url, share: traces } }, '@rystra/observe-otel')
      if (inspect) uses.push('@rystra/inspect-http')
      return uses
    }
    const [server, client] = [await extensions(), await extensions()]
    const published = web
      ? {
          proxy: { kind: 'http', host: benchHost },
          server: () => [webPort, ...server],
          client: ['@rystra/proxy-http', ...client]
        }
      : { proxy: { kind: 'tcp' }, server: () => server, client }
    const way = { transport: 'tcp', package: '@rystra/transport-tcp', muxer: 'yamux' }
    const tunnel = await startTunnel(way, published, service, scratch)
    await watcher.call('start', {
      dashboards: ports.dashboards.map((port) => ({ port, token })),
      metrics: ports.metrics
    })
    return { address: tunnel.address, pids: [tunnel.server.pid, tunnel.client.pid] }
  }
})
