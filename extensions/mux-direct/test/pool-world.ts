import { type ByteLink, type MuxHost, type Muxer, silentLog, type StreamLink } from '@rystra/plugin'
import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import muxDirect from '../src/index.js'
import type { DirectOptions } from '../src/options.js'

export const sockets = new Set<net.Socket>()
export const muxed = new Set<StreamLink>()
export const server = net.createServer({ allowHalfOpen: true })

export let last: Promise<unknown> = Promise.resolve()

/** Two ends of a TCP connection; one after the other, so that they do not get mixed up. */
export const joined = (): Promise<[net.Socket, net.Socket]> => {
  const both = last.then(join)
  last = both
  return both
}

export const join = async (): Promise<[net.Socket, net.Socket]> => {
  const accepted = once(server, 'connection') as Promise<[net.Socket]>
  const { port } = server.address() as net.AddressInfo
  const dialed = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [[far]] = await Promise.all([accepted, once(dialed, 'connect')])
  for (const socket of [dialed, far]) {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  }
  return [dialed, far]
}

export const linkOf = (duplex: Duplex): ByteLink => ({ kind: 'bytes', duplex, peer: { address: '127.0.0.1', port: 1 } })

export const muxerWith = (options: Partial<DirectOptions>): Muxer => {
  const added: Muxer[] = []
  const registries = { muxers: { add: (it: Muxer) => added.push(it) } }
  const defaults = { ready: 8, maxReady: 128, openTimeout: 10_000, shrinkAfter: 30_000 }
  muxDirect.definition.setup({ registries, options: { ...defaults, ...options } } as never)
  return added[0] as Muxer
}

export interface World {
  readonly link: StreamLink
  /** What it requested, one number per message. */
  readonly requested: number[]
  readonly control: { near: net.Socket; far: net.Socket }
  /** Dials a link as a client does; its far end. */
  deliver(count?: number, opens?: boolean): Promise<net.Socket[]>
}

/** The server's half alone, with a client made by hand. */
export const serverHalf = async (options: Partial<DirectOptions> = {}): Promise<World> => {
  const requested: number[] = []
  const host: MuxHost = {
    log: silentLog,
    links: {
      dial: () => Promise.reject(new Error('no')),
      onLink: undefined,
      request: (count) => requested.push(count),
      onRequest: undefined
    }
  }
  const [near, far] = await joined()
  far.resume()
  near.resume()
  const link = muxerWith(options).wrap(linkOf(near), 'server', host)
  muxed.add(link)
  return {
    link,
    requested,
    control: { near, far },
    deliver: async (count = 1, opens = false) => {
      const ends: net.Socket[] = []
      for (let index = 0; index < count; index += 1) {
        const [dialed, accepted] = await joined()
        host.links.onLink?.(linkOf(accepted), opens)
        ends.push(dialed)
      }
      return ends
    }
  }
}

export const sum = (numbers: number[]): number => numbers.reduce((all, one) => all + one, 0)
/** Begins and ends each group of tests that dials links. */
export const fixture = (): void => {
  before(async () => {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  after(() => void server.close())
  afterEach(() => {
    for (const link of muxed) link.destroy()
    for (const socket of sockets) socket.destroy()
    muxed.clear()
  })
}

export { failure, turns } from '@rystra/testkit'
