import { duplexPair, rawOf } from '@rystra/bytes'
import { State } from '../src/context/state.js'
import { Router } from '../src/router/router.js'
import { RpcEndpoint } from '../src/session/endpoint.js'
import type { RpcPeer } from '../src/session/peer.js'
import type { ChannelHead, ChannelOpener, Datagrams, RpcChannel } from '../src/session/port.js'
import type { ProgramSession } from '../src/session/session.js'
import { type RpcOptions, settingsOf } from '../src/session/settings.js'

const address = { address: 'memory', port: 0 }
const client: RpcPeer = { id: 'laptop', side: 'client', identity: { id: 'alice' }, address }
const server: RpcPeer = { id: 'server', side: 'server', address }

/** What a line does to a datagram: how often it arrives. */
export type Line = (message: Buffer) => number

export interface PairOptions {
  readonly one?: RpcOptions
  readonly other?: RpcOptions
  readonly reconnects?: boolean
  /** Without it there are no datagrams. */
  readonly line?: Line
  readonly maxDatagram?: number
}

const datagramPair = (line: Line, maxSize: number): [Datagrams, Datagrams] => {
  const make = (): Datagrams & { other?: Datagrams } => ({
    maxSize,
    onMessage: undefined,
    send(message) {
      if (message.length > maxSize) return false
      const copy = Buffer.from(message)
      for (let times = line(copy); times > 0; times--) queueMicrotask(() => this.other?.onMessage?.(copy))
      return true
    }
  })
  const [a, b] = [make(), make()]
  a.other = b
  b.other = a
  return [a, b]
}

/** The ends of one channel. */
export const channelPair = (
  withDatagrams: boolean,
  { line, maxDatagram = 1200 }: PairOptions
): [RpcChannel, RpcChannel] => {
  const [a, b] = duplexPair()
  const [da, db] = withDatagrams && line !== undefined ? datagramPair(line, maxDatagram) : []
  const accepted = Promise.resolve()
  return [
    { stream: rawOf(a), accepted, datagrams: da },
    { stream: rawOf(b), accepted, datagrams: db }
  ]
}

/** A session of a client with a server, both ends in memory. */
export const pair = async (options: PairOptions = {}) => {
  const { one = {}, other = {}, reconnects = false } = options
  const accepted: ProgramSession[] = []
  const channels: RpcChannel[] = []
  const handlers = { left: new Router(), right: new Router() }
  const near = new RpcEndpoint({ settings: settingsOf(one), router: handlers.left, context: new State() })
  const far = new RpcEndpoint({
    settings: settingsOf(other),
    router: handlers.right,
    context: new State(),
    onSession: (session) => void accepted.push(session)
  })
  let up = true
  const toServer: ChannelOpener = {
    open: async (head: ChannelHead, datagrams = false) => {
      if (!up) throw new Error('down')
      const [near, farther] = channelPair(datagrams, options)
      channels.push(near)
      far.accept(head, farther, { peer: client, scope: 'laptop', opener: toClient })
      return near
    }
  }
  const left = near.create(server, () => (up ? toServer : undefined), reconnects)
  const toClient: ChannelOpener = {
    open: async (_head: ChannelHead, datagrams = false) => {
      const [local, remote] = channelPair(datagrams, options)
      left.acceptStream(remote)
      return local
    }
  }
  await near.connect(left, toServer)
  return {
    left,
    right: accepted[0] as ProgramSession,
    accepted,
    near,
    far,
    channels,
    /** Opens a channel to `right` without a frame on it. */
    openStream: () => toServer.open({ kind: 'stream', session: left.id }),
    /** Cuts every channel, and joins the two again. */
    cut: () => {
      up = false
      for (const { stream } of channels.splice(0)) stream.reset()
    },
    rejoin: async () => {
      up = true
      await near.connect(left, toServer)
      return accepted.at(-1) as ProgramSession
    }
  }
}
