import type { Address, ProxySpec, RystraError, SessionInfo, StreamInfo } from '@rystra/model'
import type { CloseStreamContext, RefusedContext, UnregisterProxyContext } from '@rystra/plugin'

/** An address that the server really listens on. */
export type Listening = {
  readonly transport: string
  /** Fields of `client.connect` that a client needs there. See `Listener.join`. */
  readonly join?: Readonly<Record<string, string>>
} & Address

/** A proxy that visitors can reach. */
export interface PublishedProxy {
  readonly spec: ProxySpec
  readonly session: SessionInfo
  /** What visitors connect to: `203.0.113.7:20022`, for example. */
  readonly address: string
  /** It took the place of the one of the same name, without a gap. @default false */
  readonly changed?: boolean
}

/** Something that a server would not do. */
export type Refused = Omit<RefusedContext, 'side'>

/** What a server tells; arguments of the listeners. */
export interface ServerEvents {
  listening: [Listening]
  connected: [SessionInfo]
  disconnected: [SessionInfo, RystraError | undefined]
  published: [PublishedProxy]
  unpublished: [PublishedProxy, UnregisterProxyContext['reason']]
  refused: [Refused]
  streamOpen: [StreamInfo]
  streamClose: [CloseStreamContext]
}
