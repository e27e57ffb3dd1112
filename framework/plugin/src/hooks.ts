import type {
  ClientInfo,
  PeerInfo,
  ProxySpec,
  RystraError,
  SessionInfo,
  Side,
  StreamInfo,
  VisitorInfo
} from '@rystra/model'
import type { Transform } from 'node:stream'
import type { Challenge } from './authenticator.js'
import type { ChannelOpener } from './channel.js'

/** A peer that has said Hello and is not authenticated yet. */
export interface HelloContext {
  readonly peer: PeerInfo
  readonly client: ClientInfo
  readonly transport: string
}

/** A peer that has sent its proof. */
export interface AuthContext extends HelloContext {
  /** The method chosen: the name of an authenticator, such as `token`. */
  readonly method: string
  readonly proof: Uint8Array
  readonly challenge: Challenge
}

/** A client that asks for a proxy, or has one. */
export interface ProxyContext {
  readonly session: SessionInfo
}

/** What `through()` puts into the path of one stream. */
export interface Through {
  /** Between the visitor and the service. */
  readonly toService?: Transform
  /** Between the service and the visitor. */
  readonly toVisitor?: Transform
}

/** A stream that is about to be opened. */
export interface OpenStreamContext extends StreamInfo {
  /** Puts transforms into the path of this stream, in the order of the calls. What has to wait does so here, by back-pressure. */
  through(transforms: Through): void
  /**
   * Slows this stream down, by back-pressure: much cheaper than a transform, since no byte is touched. With several, the
   * longest wait counts.
   */
  pace(pacer: Pacer): void
  /**
   * At the server: the client is told that the stream belongs to this trace, a `traceparent` of W3C Trace Context, version 00. Of
   * several the last counts; text that is not one is left out.
   */
  carryTrace(traceparent: string): void
}

/** Name and value, in the order of the wire; names keep their case. */
export type HeaderField = [name: string, value: string]

/** One HTTP request, as it goes to the service. What is not readonly may be changed. */
export interface RequestContext {
  /** Unique within the process. */
  readonly id: string
  readonly proxy: ProxySpec
  readonly visitor: VisitorInfo
  readonly session: SessionInfo
  readonly method: string
  /** Host without port, lower case, as the visitor asked for it. */
  readonly host: string
  /** Whether it came over TLS, to this server or to a proxy in front that is trusted. */
  readonly secure: boolean
  /** Path and query. */
  target: string
  /** With one Host; without fields that frame the message or are about the connection, which may not be added either. */
  headers: HeaderField[]
}

/** The head of its response, as it goes to the visitor. */
export interface ResponseContext {
  readonly request: RequestContext
  status: number
  headers: HeaderField[]
}

/** Answers a request without the service. */
export interface Respond {
  readonly respond: {
    /** 200 to 599. */
    readonly status: number
    readonly headers?: readonly HeaderField[]
    readonly body?: string | Uint8Array
  }
}

/** A request that is over. */
export interface CloseRequestContext {
  readonly request: RequestContext
  /** 0 when the visitor went before there was one. */
  readonly status: number
  /** Of the bodies. */
  readonly bytesToService: number
  readonly bytesToVisitor: number
  /** Milliseconds since the request's head was read. */
  readonly duration: number
  readonly error?: RystraError
}

/**
 * Counts `bytes` in this direction, and answers with the milliseconds to wait before the next ones; 0 for none. With 0
 * bytes it answers with what is left to wait, and counts nothing. A throw resets the stream.
 */
export type Pacer = (bytes: number, direction: Direction) => number

/** Which way bytes go. */
export type Direction = 'toService' | 'toVisitor'

/** One chunk of one stream. */
export interface DataContext {
  readonly stream: StreamInfo
  readonly direction: Direction
}

/** How a stream ended: both ends said so, or one gave it up. */
export type CloseReason = 'end' | 'reset' | 'refused' | 'error'

/** A stream that is over. */
export interface CloseStreamContext extends StreamInfo {
  readonly bytesToService: number
  readonly bytesToVisitor: number
  /** Milliseconds since the stream was opened. */
  readonly duration: number
  readonly reason: CloseReason
  readonly error?: RystraError
}

/** A proxy that visitors can reach now. */
export interface PublishedContext extends ProxyContext {
  readonly proxy: ProxySpec
  /** What visitors connect to: `203.0.113.7:20022`, for example. */
  readonly address: string
  /** It took the place of the one of the same name, without a gap. @default false */
  readonly changed?: boolean
}

/** A proxy that is gone. */
export interface UnregisterProxyContext extends ProxyContext {
  readonly proxy: ProxySpec
  /** Why: the client asked for it, its session ended, it expired, another took it over, the policy changed, the server stops, or an extension of the server closed it. */
  readonly reason: 'asked' | 'session' | 'closed' | 'expired' | 'taken-over' | 'reload' | 'shutdown'
}

/** A session that is up. */
export interface ConnectContext {
  readonly session: SessionInfo
  readonly side: Side
  /** Opens channels on it, as long as it is up. */
  readonly channels: ChannelOpener
}

/** A session that is over. */
export interface DisconnectContext extends Omit<ConnectContext, 'channels'> {
  /** Absent when it was closed cleanly. */
  readonly error?: RystraError
}

/** Something that this end, or the other one, would not do. */
export interface RefusedContext {
  readonly what: 'session' | 'proxy' | 'stream'
  readonly side: Side
  readonly error: RystraError
  /** For people: the address of a peer or visitor, or the name of a proxy. */
  readonly subject: string
  /** The peer that was refused; its address is all that can be believed of it. */
  readonly peer?: PeerInfo
  /** Absent when it is the session that was refused. */
  readonly session?: SessionInfo
  /** The proxy as it was asked for, before any hook or check. */
  readonly proxy?: ProxySpec
  /** Absent when it was refused before it was known which proxy it is for. */
  readonly stream?: StreamInfo
}

/** A kernel that starts or stops. */
export interface LifecycleContext {
  readonly side: Side
}

/** A generation that has just taken over. Names are those of the extension instances. */
export interface ReloadContext extends LifecycleContext {
  readonly kept: readonly string[]
  readonly added: readonly string[]
  readonly removed: readonly string[]
}
