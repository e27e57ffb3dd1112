import type { ProxySpec, RystraError, SessionInfo } from '@rystra/model'
import type { CloseStreamContext, Details, StreamInfo } from '@rystra/plugin'

/** A proxy of this client that visitors can reach. */
export interface PublishedHere {
  readonly name: string
  readonly kind: string
  /** What visitors connect to. A server that binds every address is shown under the name it was dialed by. */
  readonly address: string
  readonly spec: ProxySpec
  /** The session that has it: with `client.redundancy` each of several has it at an address of its own. */
  readonly session: SessionInfo
  /** It was published before, and has another spec or address now. @default false */
  readonly changed?: boolean
}

/** Something that the server, or this client, would not do. */
export interface RefusedHere {
  readonly what: 'proxy' | 'stream'
  /** Name of the proxy. */
  readonly name: string
  readonly error: RystraError
  /** Milliseconds until it is tried again; absent when it is not. */
  readonly retryIn?: number
}

/** An entry of `client.forwards` that could not be opened after a reload. */
export interface RefusedForward extends Omit<RefusedHere, 'what'> {
  readonly what: 'forward'
}

/** A session that has to be dialed again. */
export interface Reconnecting {
  /** 1 for the first try after a session, or at the start. */
  readonly attempt: number
  /** Milliseconds until then. */
  readonly delay: number
  readonly error: RystraError
  /** Sessions with other servers that are up meanwhile, see `client.redundancy`. */
  readonly sessions: number
  /** Whether people are to be told: the first try of an outage, another error than before, or a minute after the last report. */
  readonly notable: boolean
}

/** A local address that leads to a proxy of another client. */
export interface ForwardHere {
  readonly name: string
  /** What local programs connect to. */
  readonly address: string
}

/** Something the server says of a proxy, for people to see: a request that was answered, say. */
export interface NoticeHere {
  readonly proxy: ProxySpec
  readonly notice: Details
}

/** What a client tells; arguments of the listeners. */
export interface ClientEvents {
  connected: [SessionInfo]
  disconnected: [SessionInfo, RystraError | undefined]
  reconnecting: [Reconnecting]
  published: [PublishedHere]
  unpublished: [PublishedHere, RystraError | undefined]
  refused: [RefusedHere | RefusedForward]
  visiting: [ForwardHere]
  notice: [NoticeHere]
  streamOpen: [StreamInfo]
  streamClose: [CloseStreamContext]
}
