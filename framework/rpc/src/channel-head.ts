import type { SessionInfo } from '@rystra/model'
import type { ChannelOpener as SessionChannels } from '@rystra/plugin'
import type { RpcPeer } from './session/peer.js'
import type { ChannelHead, ChannelOpener } from './session/port.js'

/** Name of the channels that carry RPC. */
export const RPC_CHANNEL = 'rpc'

export const openerOf = (channels: SessionChannels, more: { readonly to?: string } = {}): ChannelOpener => ({
  open: (head, datagrams = false) => channels.openChannel(RPC_CHANNEL, { details: { ...head, ...more }, datagrams })
})

export const peerOf = ({ client, identity, peer }: SessionInfo, server = false): RpcPeer =>
  server ? { id: 'server', side: 'server', address: peer } : { id: client.id, side: 'client', identity, address: peer }

/** What a channel says of itself, or what is wrong with it. */
export const headOf = ({ kind, session, to }: Readonly<Record<string, unknown>>): ChannelHead | string => {
  if (kind !== 'calls' && kind !== 'stream') return 'expected details.kind: calls or stream'
  if (typeof session !== 'string' || !/^[\w-]{1,64}$/.test(session))
    return 'expected details.session: 1 to 64 characters'
  if (to !== undefined && (typeof to !== 'string' || to === '')) return 'expected details.to: a client'
  return { kind, session, ...(to === undefined ? {} : { to }) }
}

/** The client that a server relays for. */
export const originOf = ({ from }: Readonly<Record<string, unknown>>): { peer: RpcPeer; scope: string } | undefined => {
  const { client, identity, session } = (from ?? {}) as Readonly<Record<string, unknown>>
  if (typeof client !== 'string' || typeof identity !== 'string' || typeof session !== 'string') return undefined
  const peer: RpcPeer = {
    id: client,
    side: 'client',
    identity: { id: identity },
    address: { address: 'relayed', port: 0 },
    relayed: true
  }
  return { peer, scope: `from ${session}` }
}
