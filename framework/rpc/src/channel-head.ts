import type { SessionInfo } from '@rystra/model'
import type { ChannelOpener as SessionChannels } from '@rystra/plugin'
import type { RpcPeer } from './session/peer.js'
import type { ChannelHead, ChannelOpener, ChannelTarget } from './session/port.js'
import type { RpcSession } from './session/rpc-session.js'

/** Name of the channels that carry RPC. */
export const RPC_CHANNEL = 'rpc'

export const openerOf = (channels: SessionChannels, more: ChannelTarget | ChannelFrom = {}): ChannelOpener => ({
  open: (head, datagrams = false) => channels.openChannel(RPC_CHANNEL, { details: { ...head, ...more }, datagrams })
})

/** What a server says of the program that a channel to its client comes from; itself where it says nothing. */
export interface ChannelFrom {
  readonly from:
    | { readonly client: string; readonly identity: string; readonly session: string }
    | { readonly server: string }
}

export const peerOf = ({ client, identity, peer }: SessionInfo, server = false): RpcPeer =>
  server ? { id: 'server', side: 'server', address: peer } : { id: client.id, side: 'client', identity, address: peer }

/** What a channel says of itself, or what is wrong with it. */
export const headOf = ({
  kind,
  session,
  to,
  identity,
  server
}: Readonly<Record<string, unknown>>): ChannelHead | string => {
  if (kind !== 'calls' && kind !== 'stream') return 'expected details.kind: calls or stream'
  if (typeof session !== 'string' || !/^[\w-]{1,64}$/.test(session))
    return 'expected details.session: 1 to 64 characters'
  if (to !== undefined && (typeof to !== 'string' || to === '')) return 'expected details.to: a client'
  if (identity !== undefined && (typeof identity !== 'string' || to === undefined))
    return 'expected details.identity: that of the client in details.to'
  if (server !== undefined && (typeof server !== 'string' || to !== undefined || kind !== 'stream'))
    return 'expected details.server: the server that has opened the session of a stream'
  return {
    kind,
    session,
    ...(to === undefined ? {} : { to }),
    ...(identity === undefined ? {} : { identity }),
    ...(server === undefined ? {} : { server })
  }
}

/** A client that is reached through the server. */
export const relayedPeer = (id: string, identity?: string): RpcPeer => ({
  id,
  side: 'client',
  ...(identity === undefined ? {} : { identity: { id: identity } }),
  address: { address: 'relayed', port: 0 },
  relayed: true
})

/** What a channel to that client says of it. */
export const targetOf = ({ id, identity, member }: RpcPeer): ChannelTarget =>
  member === undefined ? { to: id, ...(identity === undefined ? {} : { identity: identity.id }) } : { server: member }

/** Whether a channel from a client, or from the server itself, is one of this session's program. */
export const isSamePeer = ({ remote }: RpcSession, from: RpcPeer | undefined): boolean => {
  if (from === undefined || remote.relayed !== true) return from === undefined && remote.relayed !== true
  return remote.id === from.id && (remote.identity === undefined || remote.identity.id === from.identity?.id)
}

/** What a channel comes from that a server passes on: another client, or another server of the cluster. */
export const originOf = ({ from }: Readonly<Record<string, unknown>>): { peer: RpcPeer; scope: string } | undefined => {
  const { client, identity, session, server } = (from ?? {}) as Readonly<Record<string, unknown>>
  if (typeof server === 'string') {
    const address = { address: server, port: 0 }
    return { peer: { id: 'server', side: 'server', address, member: server }, scope: `server ${server}` }
  }
  if (typeof client !== 'string' || typeof identity !== 'string' || typeof session !== 'string') return undefined
  const peer = relayedPeer(client, identity)
  return { peer, scope: `from ${session}` }
}
