import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { type Address, loopback, show } from '../address.js'
import { benchHost } from '../host.js'
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

/**
 * A process that can be a server or clients; built packages, no loader, as a user would run it.
 * @param file rystra-end.mjs of another checkout, to measure that one
 */
export const startEnd = (scratch: Scratch, file = script): End => {
  const child = fork(file, [], { execArgv: ['--expose-gc'], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
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

/** An extension, with its options if it needs any. */
export type Use = string | { readonly use: string; readonly options: object }

/** What is published through a tunnel of Rystra, and the packages that its ends need for it. */
export interface Published {
  /** `client.proxies`, without the name and the service. */
  readonly proxy: Readonly<Record<string, unknown>>
  readonly server?: (dir: string) => readonly Use[]
  readonly client?: readonly Use[]
}

/** Both ends of a tunnel of Rystra, and where visitors connect to it. */
export interface Tunnel {
  readonly server: End
  readonly client: End
  readonly address: Address
  /** Where clients connect to its server, and what they need for it. */
  readonly served: Served
  /** Adds clients with one proxy each to the process of its client. */
  more(count: number): Promise<void>
}

/** Brings a tunnel up. @param file see {@link startEnd} */
export const startTunnel = async (
  way: Way,
  published: Published,
  service: Address,
  scratch: Scratch,
  file = script
): Promise<Tunnel> => {
  const token = randomBytes(24).toString('base64url')
  const server = startEnd(scratch, file)
  const client = startEnd(scratch, file)
  const { transport, muxer } = way
  const on = { token, transport, dir: scratch.dir }
  const serverPackages = [way.package, ...(published.server?.(scratch.dir) ?? [])]
  const served = await server.remote.call<Served>('server', { ...on, sessions: 1000, packages: serverPackages })
  const clientPackages = [way.package, ...(published.client ?? [])]
  const task = { ...on, ...served, muxer, service: show(service), count: 1, name: 'bench', packages: clientPackages }
  const address = await client.remote.call<string>('clients', { ...task, proxy: published.proxy })
  return {
    server,
    client,
    served,
    address: { host: loopback, port: Number(address.slice(address.lastIndexOf(':') + 1)) },
    async more(count) {
      await client.remote.call('clients', { ...task, count, name: 'more', proxy: published.proxy })
    }
  }
}

const rystra = (name: string, title: string, way: Way, published: Published): Peer => ({
  name,
  title,
  programs: [],
  ...(way.muxer === undefined ? {} : { muxer: way.muxer }),
  async start(service, scratch) {
    const { server, client, address, served } = await startTunnel(way, published, service, scratch)
    const { transport } = way
    return {
      address,
      pids: [server.pid, client.pid],
      ends: { server: server.memory, client: client.memory },
      links: (task: LinksTask) =>
        client.remote.call<number>('links', { ...served, transport, package: way.package, ...task }, 60_000)
    }
  }
})

const tcp = { transport: 'tcp', package: '@rystra/transport-tcp' }
const tls = { transport: 'tls', package: '@rystra/transport-tls' }
const quic = { transport: 'quic', package: '@rystra/transport-quic' }

const titleOf = ({ transport, muxer }: Way): string =>
  `rystra, ${muxer === undefined ? '' : `mux-${muxer} on `}${transport}`

const stream = (name: string, way: Way): Peer => ({
  ...rystra(`rystra-${name}`, titleOf(way), way, { proxy: { kind: 'tcp' } }),
  ...(way.transport === 'tcp' ? { plain: true } : {})
})

export const rystraDirect = stream('direct', { ...tcp, muxer: 'direct' })
export const rystraYamux = stream('yamux', { ...tcp, muxer: 'yamux' })

/** The same tunnel over every other transport. */
export const rystraTransports: readonly Peer[] = [
  stream('tls-yamux', { ...tls, muxer: 'yamux' }),
  stream('tls-direct', { ...tls, muxer: 'direct' }),
  stream('quic', quic),
  stream('ws-yamux', { transport: 'ws', package: '@rystra/transport-ws', muxer: 'yamux' }),
  stream('wss-yamux', { transport: 'wss', package: '@rystra/transport-ws', muxer: 'yamux' }),
  stream('h2c', { transport: 'h2c', package: '@rystra/transport-http2' }),
  stream('http2', { transport: 'http2', package: '@rystra/transport-http2' })
]

/** proxy-tcp with hooks on the server. */
export const hooked = (name: string, title: string, muxer: string, server: (dir: string) => readonly Use[]): Peer =>
  rystra(`hooks-${name}`, title, { ...tcp, muxer }, { proxy: { kind: 'tcp' }, server })

const openKinds = fileURLToPath(new URL('../relays/open-kind.mjs', import.meta.url))

/** A kind that opens its streams itself, or proxy-tcp. */
export const opening = (name: string, kind: string, muxer: string): Peer =>
  rystra(
    `open-${name}`,
    `kind ${kind}, mux-${muxer}`,
    { ...tcp, muxer },
    { proxy: { kind }, server: () => [openKinds], client: [openKinds] }
  )

/** What a server that has hosts on a free port needs. */
export const webPort: Use = { use: '@rystra/proxy-http', options: { listen: [{ host: loopback, port: 0 }] } }

const web = (name: string, way: Way): Peer =>
  rystra(`http-rystra-${name}`, `${titleOf(way)}, proxy-http`, way, {
    proxy: { kind: 'http', host: benchHost },
    server: () => [webPort],
    client: ['@rystra/proxy-http']
  })

/** proxy-http over the ways people use. */
export const rystraWeb: readonly Peer[] = [
  web('yamux', { ...tcp, muxer: 'yamux' }),
  web('direct', { ...tcp, muxer: 'direct' }),
  web('tls-yamux', { ...tls, muxer: 'yamux' })
]

const datagrams = (name: string, way: Way): Peer =>
  rystra(`udp-rystra-${name}`, `${titleOf(way)}, proxy-udp`, way, {
    proxy: { kind: 'udp' },
    server: () => ['@rystra/proxy-udp'],
    client: ['@rystra/proxy-udp']
  })

/** proxy-udp in a stream, and beside one. */
export const rystraDatagrams: readonly Peer[] = [
  datagrams('yamux', { ...tcp, muxer: 'yamux' }),
  datagrams('quic', quic)
]
