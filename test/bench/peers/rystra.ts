import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { loopback, show } from '../address.js'
import { Remote } from '../load/remote.js'
import type { LinksTask, Memory, Peer } from '../peer.js'
import type { Scratch } from '../scratch.js'

const script = fileURLToPath(new URL('../rystra-end.mjs', import.meta.url))

/** The other side of rystra-end.mjs. */
export interface End {
  readonly pid: number
  readonly remote: Remote
  memory(): Promise<Memory>
}

/** What the process says of a server that it has started. */
export interface Served {
  readonly port: number
  readonly join: Readonly<Record<string, string>>
}

/** A process that can be a server or clients; built packages, no loader, as a user would run it. */
export const startEnd = (scratch: Scratch): End => {
  const child = fork(script, [], { execArgv: ['--expose-gc'], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  const { pid } = scratch.adopt(child, 'node')
  const remote = new Remote(child)
  return { pid, remote, memory: () => remote.call<Memory>('memory') }
}

/** One of our own ways: a transport, its package, and a muxer unless it multiplexes by itself. */
export interface Way {
  readonly transport: string
  readonly package: string
  readonly muxer?: string
}

const rystra = (name: string, way: Way): Peer => ({
  name: `rystra-${name}`,
  title: `rystra, ${way.muxer === undefined ? '' : `mux-${way.muxer} on `}${way.transport}`,
  programs: [],
  ...(way.muxer === undefined ? {} : { muxer: way.muxer }),
  ...(way.transport === 'tcp' ? { plain: true } : {}),
  async start(service, scratch) {
    const token = randomBytes(24).toString('base64url')
    const server = startEnd(scratch)
    const client = startEnd(scratch)
    const { transport, muxer } = way
    const on = { transport, packages: [way.package], dir: scratch.dir }
    const { port, join } = await server.remote.call<Served>('server', { token, sessions: 100, ...on })
    const task = { token, port, join, muxer, service: show(service), count: 1, name: 'bench', ...on }
    const published = await client.remote.call<string>('clients', task)
    return {
      address: { host: loopback, port: Number(published.slice(published.lastIndexOf(':') + 1)) },
      pids: [server.pid, client.pid],
      ends: { server: server.memory, client: client.memory },
      links: (task: LinksTask) =>
        client.remote.call<number>('links', { port, join, transport, package: way.package, ...task }, 60_000)
    }
  }
})

const tcp = { transport: 'tcp', package: '@rystra/transport-tcp' }
const tls = { transport: 'tls', package: '@rystra/transport-tls' }

export const rystraDirect = rystra('direct', { ...tcp, muxer: 'direct' })
export const rystraYamux = rystra('yamux', { ...tcp, muxer: 'yamux' })

/** The same tunnel over every other transport. */
export const rystraTransports: readonly Peer[] = [
  rystra('tls-yamux', { ...tls, muxer: 'yamux' }),
  rystra('tls-direct', { ...tls, muxer: 'direct' }),
  rystra('quic', { transport: 'quic', package: '@rystra/transport-quic' }),
  rystra('ws-yamux', { transport: 'ws', package: '@rystra/transport-ws', muxer: 'yamux' }),
  rystra('wss-yamux', { transport: 'wss', package: '@rystra/transport-ws', muxer: 'yamux' }),
  rystra('h2c', { transport: 'h2c', package: '@rystra/transport-http2' }),
  rystra('http2', { transport: 'http2', package: '@rystra/transport-http2' })
]
