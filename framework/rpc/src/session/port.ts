import type { Channel, ChannelDatagrams } from '@rystra/plugin'

/** Datagrams of one channel. */
export type Datagrams = ChannelDatagrams

/** What a channel is for, when the server that it is opened at is not. */
export interface ChannelTarget {
  /** A client. */
  readonly to?: string
  /** Its identity, where clients of several identities have the id. */
  readonly identity?: string
  /** Another server of the cluster, that has opened the session. */
  readonly server?: string
}

/** What both ends are told of a channel before its first byte. */
export interface ChannelHead extends ChannelTarget {
  /** `calls` carries requests and events, `stream` one stream. */
  readonly kind: 'calls' | 'stream'
  /** Chosen by the end that opened the channel of calls; a stream names it. */
  readonly session: string
}

/** A channel that is open: that of a session, or an end of a pair in memory. */
export type RpcChannel = Pick<Channel, 'stream' | 'accepted' | 'datagrams'> &
  Partial<Pick<Channel, 'onClosing' | 'work'>>

/** Opens channels to the other side. */
export interface ChannelOpener {
  open(head: ChannelHead, datagrams?: boolean): Promise<RpcChannel>
}
