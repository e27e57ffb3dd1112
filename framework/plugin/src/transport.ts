import type { DatagramStats, MuxerStats } from './handles.js'
import type { TSchema } from '@rystra/model/schema'
import type { Detached, Offloaded, RawStream } from '@rystra/bytes'
import type { Address, PeerInfo } from '@rystra/model'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** An entry of `server.listen`. The transport adds its own fields. */
export interface ListenOptions extends Address {
  readonly transport: string
  /** Given to transports of `addressing: 'name'`, which do not look at host and port. */
  readonly address?: string
  readonly [field: string]: unknown
}

/** `client.connect`. The transport adds its own fields. */
export interface DialOptions extends Address {
  readonly transport: string
  /** See {@link ListenOptions.address}. */
  readonly address?: string
  readonly [field: string]: unknown
}

/** A bound listener. */
export interface Listener {
  /** Where it really listens: port 0 is resolved. With a `name`, see {@link Transport.addressing}. */
  readonly address: Address
  /**
   * Fields of `client.connect` that a client needs to be sure of this listener, for `rystra serve` to hand on: the
   * `fingerprint` of a certificate that it has made for itself, say.
   */
  readonly join?: Readonly<Record<string, string>>
  /** Accepts no more; links that are up go on. Resolves when the address is free again. */
  close(): Promise<void>
}

/** A transport connection that carries bytes. */
export interface ByteLink {
  readonly kind: 'bytes'
  /** Allows half-open; a bare socket stays one, without a wrapper. Has no `error` listener until it is taken over. */
  readonly duplex: Duplex
  readonly peer: PeerInfo
}

/** Unreliable, unordered messages beside the streams of a link, RFC 9221. */
export interface DatagramChannel {
  /** The largest message that fits now, in bytes. */
  readonly maxSize: number
  /** `false` when it was dropped at once. The message is the caller's again when it returns. */
  send(message: Uint8Array): boolean
  onMessage: ((message: Uint8Array) => void) | undefined
  /** Counted since the link is up. @default not known */
  stats?(): DatagramStats
}

/** What a stream that is opened joined with a connection says, and tells. */
export interface JoinedOpening {
  /** Its first bytes, of up to 64 KiB. */
  readonly head: Buffer
  /** With these bytes, 16 at most, the other side accepts it. They do not reach the connection. */
  readonly answer: Buffer
  /** The other side has accepted it. */
  onReady(): void
  /**
   * The answer of the other side differs, and this is all of it so far. Returns how many of its bytes accept the stream: those
   * behind them reach the connection. 0: the stream is reset, or more bytes are needed.
   */
  onAnswer(bytes: Buffer): number
  /** The other side has ended it without an answer. */
  onEnd(): void
}

/** Such a stream. It is neither read nor written: bytes do not pass JavaScript. */
export interface JoinedOpened {
  readonly stream: RawStream
  readonly moved: Offloaded
}

/** A connection that carries streams: a muxer's, or that of a transport that multiplexes by itself. */
export interface StreamLink {
  readonly kind: 'streams'
  readonly peer: PeerInfo
  /**
   * The stream for control messages, if the link has one of its own. Otherwise the client opens the first stream for it.
   */
  readonly control?: Duplex
  /** Opens a stream to the other side. Rejects with `mux.closed`, `stream.limit` or `stream.timeout`. */
  open(signal?: AbortSignal): Promise<Duplex>
  /** As {@link open}, for a reader that needs no `Duplex`. @default by `open` */
  openRaw?(signal?: AbortSignal): Promise<RawStream>
  /**
   * Opens a stream whose bytes go to and from a connection without passing JavaScript, ends and resets included; both
   * report their close. Absent where it cannot, or not now; `undefined` when it failed, and nothing was done.
   */
  readonly openJoined?: ((socket: Detached, opening: JoinedOpening) => JoinedOpened | undefined) | undefined
  /**
   * The other side opened a stream. Set it in the turn in which the link was made: nothing arrives before. While it is
   * undefined, what the other side opens is refused.
   */
  onStream: ((stream: Duplex) => void) | undefined
  /** Told in the place of {@link onStream}, where a link knows it and both are set: no `Duplex` is made. */
  onRawStream?: ((stream: RawStream) => void) | undefined
  /** Called once, when the link is gone, with the reason unless it was closed cleanly. All streams are over by then. */
  onClose: ((error?: Error) => void) | undefined
  /** Streams that are open now, the control stream not counted. */
  readonly streams: number
  /** Queues and windows, summed on read. @default not known */
  stats?(): MuxerStats
  readonly datagrams?: DatagramChannel
  /**
   * Whether what the client sends first may travel before the handshake is complete, on a link that comes back (0-RTT, RFC
   * 9001 section 4.6.1): a peer that has recorded it can send it a second time. @default false
   */
  readonly early?: boolean
  /** The other side may open no more streams; those that are open go on. */
  goAway(): void
  /**
   * Sends what is queued on streams that this end has ended, then closes; all others are reset. A peer that makes no
   * progress in 3 seconds is not waited for. The other end reads what was sent to it, if need be after `onClose`.
   */
  close(): void
  /** Closes at once; open streams are reset. */
  destroy(error?: Error): void
}

export type Link = ByteLink | StreamLink

/** What a transport over TCP asks its {@link ListenHost} for. */
export interface TcpListening extends Address {
  /** The extension that listens, for the log. @default none */
  readonly owner?: string
  /** Whether no other owner may share the address: `listen.in-use` then. @default false */
  readonly exclusive?: boolean
  /** Connections that may wait to be accepted. @default 4096 */
  readonly backlog?: number
  /** Milliseconds of silence after which the kernel probes a connection. @default 30000 */
  readonly keepAlive?: number
  /**
   * Addresses and networks of load balancers whose connections begin with a header of the PROXY protocol. Listeners that share
   * the address share this. @default none
   */
  readonly proxyProtocolFrom?: readonly string[] | undefined
  /**
   * Whether a connection that began with these bytes is for this transport; `undefined`: more are needed to tell. Asked
   * only where several share the address, and with 16 KiB at most.
   */
  recognises(head: Buffer): boolean | undefined
  /** A connection, half-open allowed, no delay. What was read of it already is back in it. */
  onSocket(socket: Socket): void
}

/** Where a visitor comes in: at a host, or a wildcard over it, and at or below a path. */
export interface VisitorRoute {
  readonly host: string
  readonly path: string
}

/** Routes that another process publishes: the one that took over from this one, or the one that this one took over from. */
export interface OtherProcess {
  /** Whether it has one for `wanted` that is nearer than `found` at this process: the visitor is to come again. */
  has(kind: string, wanted: VisitorRoute, found: VisitorRoute | undefined): boolean
}

/** What the server gives a transport that listens. */
export interface ListenHost {
  /**
   * Binds a TCP address, or joins who listens there through this host already: then the first bytes of a connection
   * decide whose it is, and who joined last is asked first. `signal` closes it. Rejects with `listen.*`.
   */
  listenTcp(options: TcpListening, signal: AbortSignal): Promise<Listener>
  /**
   * Present where this process took listening sockets over from the one before: resolves when the clients of that one have
   * had time to come back. Until then a visitor of an unknown host may wait for it.
   */
  readonly returning?: Promise<void> | undefined
  /**
   * While {@link returning} is there: whether the process before had published this host or name, itself or by a wildcard;
   * also true where that process did not say what it had. A visitor of another one need not wait.
   */
  awaits?(name: string): boolean
  /** Present after a change of processes: in the one that was replaced, and for a minute in the one that took over. */
  readonly otherProcess?: OtherProcess | undefined
}

/** Carries links from client to server. `registries.transports` */
export interface Transport {
  readonly name: string
  /**
   * What its listeners are addressed by: host and port, or a name such as a path, which configurations give as `address`.
   * Listeners of the latter have `{ host: '', port: 0, name }` as their address.
   * @default 'host-port'
   */
  readonly addressing?: 'host-port' | 'name'
  /** Fields of a `server.listen` entry beside `transport`, `host`, `port` and `address`. */
  readonly listenOptions?: TSchema
  /** Fields of `client.connect` beside `transport`, `host`, `port`, `address` and `muxer`. */
  readonly dialOptions?: TSchema
  /**
   * Whether a dial with these fields proves by itself that the server is the expected one, whatever its address: by a pinned
   * certificate, an authority of one's own, or a fixed server name. Only then a client goes to an address that its
   * configuration does not name, but a server or a DNS record does. @default never
   */
  readonly provesServer?: (options: DialOptions) => boolean
  /**
   * Resolves when bound. `signal` closes the listener. A transport over TCP binds through `host`, so that others may
   * share its port. Rejects with `listen.in-use`, `listen.denied`, `listen.unavailable`, `listen.failed` or `tls.files`.
   */
  listen(options: ListenOptions, onLink: (link: Link) => void, signal: AbortSignal, host: ListenHost): Promise<Listener>
  /** Resolves when the link can carry bytes. `signal` gives it up. Rejects with `connect.*` or `tls.*`. */
  dial(options: DialOptions, signal: AbortSignal): Promise<Link>
}
