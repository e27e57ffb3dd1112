import type { Address, ProxySpec, RystraError, SessionInfo, StreamInfo } from '@rystra/model'
import type { ClusterInfo } from './cluster-info.js'

/** What streams have carried, datagrams beside them included. */
export interface Traffic {
  readonly bytesToService: number
  readonly bytesToVisitor: number
}

/**
 * How often each error code was given as the reason of a refusal. Bounded: those of the table of error codes and 64 of
 * extensions; further ones count as `internal`.
 */
export type RefusalCounts = Readonly<Record<string, number>>

/** What is known of a running stream. Counted by plain numbers, summed on read. */
export interface StreamStats extends Traffic {
  /** Milliseconds since the epoch. */
  readonly openedAt: number
  /** Milliseconds from then until the service was reached; absent before. */
  readonly connectTime?: number
  /** Whether it passes nothing on for now, to keep a pace. */
  readonly paused: boolean
}

/** A stream that is open or being opened. */
export interface StreamHandle {
  /** `<session id>.<stream id>`: unique at its end, and the same at both ends. */
  readonly id: string
  /** Visitor, proxy, session and identity. */
  readonly info: StreamInfo
  stats(): StreamStats
  /** Resets it; one that is still being opened is given up. @default `stream.reset` */
  close(error?: RystraError): void
}

/** How long it took to reach the service, over the streams that reached it. */
export interface ConnectTimes {
  readonly count: number
  /** Milliseconds, summed. */
  readonly sum: number
  /** Milliseconds of the last one. */
  readonly last: number
}

/** What is known of a proxy or a session: streams that are open are included. */
export interface TrafficStats extends Traffic {
  /** Streams that are open or being opened now. */
  readonly streams: number
  /** Streams so far. */
  readonly opened: number
  /** Open streams that carry many visitors each, such as an HTTP/2 connection to a client; not counted in `streams`. */
  readonly carriers: number
  readonly connectTimes: ConnectTimes
  /** Refused streams by error code; of a session also its refused registrations. */
  readonly refused: RefusalCounts
}

/**
 * Where a proxy stands. `publishing`: asked for, not answered yet. `waiting`: refused for now, asked for again later.
 * `refused`: for good. `idle`: there is no session, or it was taken back. What clients register by themselves has only the first
 * two on a server.
 */
export type ProxyState = 'publishing' | 'published' | 'waiting' | 'refused' | 'idle'

/** Where a proxy comes from. `server`: pushed by the server, with the consent of the client. */
export type ProxyOrigin = 'configuration' | 'program' | 'server'

/** What a proxy is. */
export interface ProxyInfo {
  readonly spec: ProxySpec
  readonly state: ProxyState
  /** The session that has it; absent on a client while it is of no session. */
  readonly session?: SessionInfo
  /** What visitors connect to; absent until it is published. */
  readonly address?: string
  /** On a client whose proxy several servers have at the same time: each session and address. */
  readonly published?: readonly { readonly session: SessionInfo; readonly address: string }[]
  /** As its health checks say; true without them. */
  readonly healthy: boolean
  /** Why it is `waiting` or `refused`. */
  readonly error?: RystraError
  /** On a server, of one that waits for its client: whose it is. */
  readonly owner?: { readonly identity: string; readonly client: string }
  /** On a server only `server`: what the client registers by itself is not told apart. */
  readonly origin?: ProxyOrigin
  /** Of the origin `server`: which administrator added it. A client has the word of its server for it. */
  readonly by?: string
}

/** A proxy that is published or to be published. */
export interface ProxyHandle {
  /** On a server `<session id>.<name>`, on a client the name. */
  readonly id: string
  readonly info: ProxyInfo
  stats(): TrafficStats
  /** Takes it back, and tells the other end why; streams that are open go on. */
  close(error?: RystraError): void
}

/** Queues of a link that carries streams, as far as its muxer tells. */
export interface MuxerStats {
  /** Bytes that wait to be written to the link. */
  readonly queued?: number
  /** Streams that wait for credit of the other end. */
  readonly blocked?: number
  /** Bytes of receive windows that are granted and not used. */
  readonly window?: number
}

/** Datagrams of a link since it is up, and those that this end dropped, by the place. */
export interface DatagramStats {
  readonly sent: number
  readonly received: number
  /** Wait to be sent. */
  readonly queued: number
  readonly dropped: {
    /** The link is congested: its queue was full. */
    readonly queue: number
    /** Larger than the packets of the path, which has changed. */
    readonly size: number
    /** For a stream that is over, or not open yet. */
    readonly unclaimed: number
  }
  /** Packets that did not arrive at the peer: their datagrams are lost, all else in them was sent again. */
  readonly lostPackets: number
}

/** What is known of a session. */
export interface SessionStats extends TrafficStats {
  readonly proxies: number
  /** Open channels, such as streams of RPC. */
  readonly channels: number
  /** Round trip of the last heartbeat in milliseconds; absent before the first. */
  readonly rtt?: number
  readonly muxer?: MuxerStats
  /** Absent where the transport has none. */
  readonly datagrams?: DatagramStats
}

/** A session that is up. */
export interface SessionHandle {
  /** That of `info`. The same at both ends. */
  readonly id: string
  readonly info: SessionInfo
  stats(): SessionStats
  /** Ends it cleanly; open streams are reset, and a client dials again where the error allows it. */
  close(error?: RystraError): void
}

/** What a listener is. Ports 0 are resolved. */
export interface ListenerInfo extends Address {
  readonly transport: string
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** What is known of a listener. */
export interface ListenerStats {
  /** Links so far. */
  readonly accepted: number
  /** Links that are open now: sessions, their data links, and handshakes under way. */
  readonly open: number
  /** Links that were refused, by error code. */
  readonly refused: RefusalCounts
}

/** An address at which a server accepts clients. */
export interface ListenerHandle {
  /** `tls://0.0.0.0:7000`. */
  readonly id: string
  readonly info: ListenerInfo
  stats(): ListenerStats
}

/** One tap of an extension, with what was counted over all generations that it was in. */
export interface TapInfo {
  /** `onOpenStream`, for example. */
  readonly hook: string
  readonly extension: string
  readonly stage: number
  /** Milliseconds, 0 for no limit; absent for taps that answer at once. */
  readonly timeout?: number
  readonly onFailure: string
  /** The method, for the tap of an authenticator. */
  readonly authenticator?: string
  readonly calls: number
  /** Throws, invalid answers, and timeouts. */
  readonly errors: number
  readonly timeouts: number
  /** How often it was left out, by policy `skip`. */
  readonly skipped: number
  /** Milliseconds, waiting included. */
  readonly totalMs: number
}

/** One extension of the present generation. */
export interface ExtensionInfo {
  readonly name: string
  /** Its package, if it came from one. */
  readonly package?: { readonly name: string; readonly version: string }
  /** The file that defines it, if the stack named one. */
  readonly file?: string
  /** Whether that file has changed since it was loaded: new code needs a new process. Checked by a reload and a plan. */
  readonly codeChanged?: boolean
  /** Secrets are left out. */
  readonly options: unknown
  /** What it registered: `transport:tcp`. */
  readonly registers: readonly string[]
  readonly requires: readonly string[]
  readonly provides: readonly string[]
  readonly taps: readonly TapInfo[]
}

/** What is known of one end as a whole, since it was made. */
export interface EndStats extends TrafficStats {
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly sessions: number
  /** Sessions so far. */
  readonly sessionsOpened: number
  readonly proxies: number
  /** The number of the generation of extensions, 1 for the first. */
  readonly generation: number
  /** Sessions, registrations and streams that were refused, by error code. */
  readonly refused: RefusalCounts
  /** Absent at a client, and at a server alone. */
  readonly cluster?: ClusterInfo
}
