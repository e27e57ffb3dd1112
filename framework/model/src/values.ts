/** Which of the two ends. A server runs where the public can reach it; a client runs beside the services. */
export type Side = 'server' | 'client'

/** A host and a port. `port` 0 asks for a free one. */
export interface Address {
  readonly host: string
  readonly port: number
  /** The address on a transport whose addresses are no host and port, such as a path: then `host` is '' and `port` 0. */
  readonly name?: string
}

/** What is known of the other end of a link. */
export interface PeerInfo {
  /** The remote IP address, or a name such as `memory` on a transport without addresses. */
  readonly address: string
  /** The remote port; 0 on a transport without ports. */
  readonly port: number
  /** Only on links that are encrypted. */
  readonly tls?: TlsFacts
}

/** Facts of TLS or QUIC about a link. */
export interface TlsFacts {
  /** `TLSv1.3`, for example. */
  readonly version: string
  readonly cipher: string
  /** The protocol agreed on by ALPN, RFC 7301. */
  readonly alpn?: string
  /** The name the client asked for, RFC 6066. */
  readonly serverName?: string
  /** The other side's certificate, DER; present only after it was verified. */
  readonly certificate?: Uint8Array
  /** Keying material for channel binding, RFC 9266 (`EXPORTER-Channel-Binding`, 32 bytes). */
  readonly binding?: Uint8Array
}

/** The identity of a client, as an authenticator found it. */
export interface Identity {
  /** Names an identity on this server. */
  readonly id: string
  /** What it may do; hooks read it, the kernel does not. */
  readonly rights?: Readonly<Record<string, unknown>>
}

/** What a client says of itself. Not verified: only {@link Identity} is. */
export interface ClientInfo {
  /** `client.id` of its configuration; a session replaces an earlier one with the same identity and id. */
  readonly id: string
  /** Random, new for each process, so that a client can be told from another with the same id. */
  readonly instance: string
  /** Software and version, `rystra/0.1.0`. */
  readonly agent: string
}

/** One authenticated relation of a client and a server. */
export interface SessionInfo {
  /** Random, made by the server. */
  readonly id: string
  readonly identity: Identity
  readonly client: ClientInfo
  readonly peer: PeerInfo
  readonly transport: string
  readonly muxer: string
  /** Client: the server that was dialed, `host:port` as the configuration, a DNS record or another server names it. */
  readonly server?: string
  /** The name of the server that has it, where that is another one of a cluster, or one of several processes that are asked as one. */
  readonly member?: string
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** A published way to a service, as the configuration or a program says it. The kind adds its own fields. */
export interface ProxySpec {
  /** Unique within one client. 1 to 128 characters. */
  readonly name: string
  /** `tcp`, for example: the name of a registered kind. */
  readonly kind: string
  readonly [field: string]: unknown
}

/** A connection to the public side. */
export interface VisitorInfo extends Address {
  /** The public address the visitor connected to. */
  readonly to: Address
  /** On the server: the session through which a client visits a proxy that has no public address. */
  readonly through?: SessionInfo
}

/** One stream, from a visitor to a service. */
export interface StreamInfo {
  /** Unique within the session. */
  readonly id: string
  readonly proxy: ProxySpec
  readonly visitor: VisitorInfo
  readonly session: SessionInfo
  /** Which end this is. Each stream has one such object at each end. */
  readonly side: Side
  /** What the server half of the kind sends to the client half with the stream. */
  readonly details?: Readonly<Record<string, unknown>>
  /** On a client: the trace that the server says the stream belongs to, a `traceparent` of W3C Trace Context. */
  readonly trace?: string
}
