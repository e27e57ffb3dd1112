import type { ProxySpec, RystraError, SessionInfo, Side, StreamInfo } from '@rystra/model'

/** What streams have carried, datagrams beside them included. */
export interface Traffic {
  readonly bytesToService: number
  readonly bytesToVisitor: number
}

/** What is known of a running stream. Counted by plain numbers, summed when it is asked for. */
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
  /** Visitor, proxy, session and identity. */
  readonly info: StreamInfo
  stats(): StreamStats
  /** Resets it. @default `stream.reset` */
  close(error?: RystraError): void
}

/** What is known of a proxy or a session: streams that are open are included. */
export interface TrafficStats extends Traffic {
  /** Streams that are open or being opened now. */
  readonly streams: number
  /** Streams so far. */
  readonly opened: number
}

/** A published proxy. */
export interface ProxyHandle {
  readonly info: {
    readonly spec: ProxySpec
    readonly session: SessionInfo
    /** What visitors connect to. */
    readonly address: string
    /** As its health checks say; true without them. */
    readonly healthy: boolean
  }
  stats(): TrafficStats
  /** Takes it back, and tells the other end why; streams that are open go on. */
  close(error?: RystraError): void
}

/** What is known of a session. */
export interface SessionStats extends TrafficStats {
  readonly proxies: number
  /** Round trip of the last heartbeat in milliseconds; absent before the first. */
  readonly rtt?: number
}

/** A session that is up. */
export interface SessionHandle {
  readonly info: SessionInfo
  stats(): SessionStats
  /** Ends it in good order; open streams are reset, and a client dials again where the error allows it. */
  close(error?: RystraError): void
}

/** What runs at one end now. The same object over reloads. */
export interface Runtime {
  readonly side: Side
  sessions(): Iterable<SessionHandle>
  proxies(): Iterable<ProxyHandle>
  streams(): Iterable<StreamHandle>
}
