import type { TSchema } from '@rystra/model/schema'
import type { Address, Logger, ProxySpec, RystraError, SessionInfo, StreamInfo, VisitorInfo } from '@rystra/model'
import type { Socket as UdpSocket } from 'node:dgram'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Deny } from './deny.js'
import type { VisitRouting } from './explain.js'
import type { CloseRequestContext, Direction, Pacer, RequestContext, Respond, ResponseContext } from './hooks.js'

/** What a proxy kind asks the server to listen on. */
export interface PublishAddress {
  /** Left out or 0: any free port that the server allows. */
  readonly port?: number
  /** @default `server.publish.host` */
  readonly host?: string
  /**
   * Of `listenUdp`: whether the socket of the proxy that this one replaces is handed on where port and host stay. Its
   * reader is the kind's to change then. @default false, the port is bound anew
   */
  readonly reuse?: boolean
}

/** A UDP port that was bound for a proxy. */
export interface UdpPort {
  readonly address: Address
  /** Bound, and closed with the proxy. Its messages are the kind's to read and send. */
  readonly socket: UdpSocket
}

/** Plain values that the halves of a kind tell each other. At most 4 KiB on the wire. */
export type Details = Readonly<Record<string, unknown>>

/**
 * Datagrams beside a stream, RFC 9221: may be lost, may overtake each other and the bytes of the stream. What one half
 * of a kind sends arrives at the other half of the same stream.
 */
export interface DatagramFlow {
  /** The largest message that fits now, in bytes. */
  readonly maxSize: number
  /** `false` when it was dropped at once: too large, or the queue is full. */
  send(message: Uint8Array): boolean
  /** The message is the callee's until it returns. Messages without a handler are dropped. */
  onMessage: ((message: Buffer) => void) | undefined
  /** Sends and hears nothing any more. Done by itself when the stream is closed. */
  close(): void
}

/** A stream for a kind that does not relay byte by byte. */
export interface OpenedStream {
  readonly stream: Duplex
  readonly info: StreamInfo
  /** Present when it was asked for and the session has them. */
  readonly datagrams?: DatagramFlow
  /** Whether hooks of this side checked this visitor: then it must not carry what another visitor says. */
  readonly bound?: boolean
}

/** How {@link PublishHost.openStream} opens. */
export interface OpenStreamOptions {
  /** Gives up. */
  readonly signal?: AbortSignal
  /** What the client half is told besides: `ReachHost.stream.details`. */
  readonly details?: Details
  /** Whether datagrams are wanted beside it. @default false */
  readonly datagrams?: boolean
  /**
   * It carries many visitors, each of which is admitted by `PublishHost.admit`: hooks of the server are not asked
   * about it, and limits do not count it. `info` says where visitors come to. @default false
   */
  readonly carrier?: boolean
  /** Milliseconds to wait for the service. @default 30000 */
  readonly timeout?: number
}

/** How {@link PublishHost.relay} relays. */
export interface RelayOptions {
  /** What the client half is told besides: `ReachHost.stream.details`. */
  readonly details?: Details
  /**
   * For visitors that several proxies could serve: called when the service of this one cannot be reached within 5 s, and
   * no byte of the visitor was read. Gives the visitor to another proxy and returns whether there was one; without one the
   * visitor is reset. A visitor that a hook refuses is reset without it.
   */
  failover?(): boolean
}

/** What an admitted visitor has carried so far, and how it is ended from outside. */
export interface AdmittedFlow {
  readonly bytesToService: number
  readonly bytesToVisitor: number
  /** Ends it: {@link Admission.close} is to follow. */
  end(error: RystraError): void
}

/** A visitor that was admitted without a stream of its own: one of many that share a stream, as those of UDP do. */
export interface Admission {
  readonly info: StreamInfo
  /** See `OpenStreamContext.pace`. A caller that cannot wait drops what comes too early. */
  readonly pace?: Pacer
  /** What the `onData` taps make of a datagram: empty to drop it. A throw is to end the visitor. */
  readonly tap?: (datagram: Buffer, direction: Direction) => Buffer
  /** To be called at once: what is listed of the visitor reads this, and an administrator may end it. */
  attach?(flow: AdmittedFlow): void
  /** To be called once, when the visitor is gone: onCloseStream. `error` is left out when it went cleanly. */
  close(bytesToService: number, bytesToVisitor: number, error?: RystraError): void
}

/** Those who hold a key together: one proxy, or the members of a load-balancing group. */
export interface Claim<Value> {
  readonly key: string
  /** How many hold it. */
  readonly size: number
  /**
   * One of them for this visitor, by the policy of the group; members whose service is down, who are full, or who are
   * in `tried` are left out.
   */
  pick(visitor: VisitorInfo, tried?: ReadonlySet<Value>): Value | undefined
}

/** A client of this server that wants to reach a proxy without a public address. */
export interface Visit {
  /** The session of the visiting client. */
  readonly session: SessionInfo
  /** The connection to the visiting client. */
  readonly visitor: VisitorInfo
  /** What its half of the kind says. Not verified. */
  readonly details: Details
}

/** The hooks about requests, for kinds that speak HTTP. */
export interface RequestHooks {
  /** Whether `onRequest` has a tap: it may have changed the head after {@link request}. */
  readonly tapsRequests: boolean
  /**
   * `undefined` at once, without a promise, when no tap is asynchronous and none has an answer. Rejects with `hook.*` when a tap fails:
   * the service is not asked then.
   */
  request(context: RequestContext): Promise<Deny | Respond | undefined> | undefined
  /** Whether `onResponse` has a tap. */
  readonly tapsResponses: boolean
  /** As {@link request}. Rejects with `hook.*` when a tap fails: then there is no response. */
  response(context: ResponseContext): Promise<void> | undefined
  closeRequest(context: CloseRequestContext): void
}

/** What the server gives the server half of a proxy kind, one for each published proxy. */
export interface PublishHost {
  readonly session: SessionInfo
  readonly log: Logger
  /** Aborted when the proxy is taken back. */
  readonly signal: AbortSignal
  /**
   * The hooks about requests: `onRequest`, `onResponse`, `onCloseRequest`. For kinds that speak HTTP.
   */
  readonly hooks: RequestHooks
  /**
   * Binds a TCP port within the policy of the server, or joins the group that has it. Rejects with
   * `proxy.port-not-allowed`, `proxy.port-privileged`, `proxy.port-taken` or `proxy.no-free-port`. Closed with the proxy.
   *
   * @param onVisitor Left out: each visitor is relayed, as by {@link relay}, at the least cost
   */
  listen(address: PublishAddress, onVisitor?: (visitor: Socket, info: VisitorInfo) => void): Promise<Address>
  /** Binds a UDP port, as {@link listen} does. */
  listenUdp(address: PublishAddress): Promise<UdpPort>
  /**
   * Claims a key for this proxy on the whole server, `http app.example.org` say, or joins the group that holds it. A
   * holder of the same identity that is gone without a word loses it. Given back with the proxy. Rejects with
   * `proxy.claimed`.
   *
   * @param shown what an error names, without the words that only tell kinds apart
   */
  claim<Value>(key: string, value: Value, shown?: string): Promise<Claim<Value>>
  /**
   * Claims a name under which clients of this server may visit. `admit` answers with what the client half is told, in
   * `ReachHost.stream.details`, or throws what the visiting client is told. Rejects with `proxy.claimed`.
   */
  acceptVisits(name: string, admit: (visit: Visit) => Details | Promise<Details>): Promise<void>
  /**
   * Opens a stream for a visitor and relays it until both are done: onOpenStream, header, relay, onCloseStream.
   */
  relay(visitor: Duplex, info: VisitorInfo, options?: RelayOptions): void
  /**
   * Opens a stream for a visitor, for kinds that do not relay byte by byte. Resolves when the service is reached;
   * rejects with `stream.*`. End or destroy the stream when it is done.
   */
  openStream(info: VisitorInfo, options?: OpenStreamOptions): Promise<OpenedStream>
  /**
   * Lets a visitor in that has no stream of its own: onOpenStream, limits, statistics. Throws or rejects with what refuses
   * it: `stream.refused`, `stream.limit`, `hook.*`. Answers without a promise when no hook is concerned.
   */
  admit(info: VisitorInfo): Admission | Promise<Admission>
  /** Tells the client something that people may want to see, a request that was answered say. Dropped, and counted, in a flood. */
  tell(notice: Details): void
}

/** An open proxy at the server, or an open forward at a client. */
export interface Published {
  /** Where visitors connect, as it is shown: `203.0.113.7:20022`, `https://app.example.org`, `127.0.0.1:3306`. */
  readonly address: string
  /** Takes it back; streams that are open go on. */
  close?(): Promise<void> | void
}

/** What the client gives the client half of a proxy kind, one for each stream. */
export interface ReachHost {
  readonly stream: StreamInfo
  /** The entry as it is now: another object after a change. For kinds whose streams outlive one visitor. */
  readonly spec: ProxySpec
  readonly log: Logger
  /** Aborted when the visitor is gone. */
  readonly signal: AbortSignal
  /** Present when the server half asked for them and the session has them. */
  readonly datagrams?: DatagramFlow
  /**
   * Connects to a service: `host:port`, `unix:/path`, or `handler:name` for one within this process. Tried 3 times, 200 ms
   * apart and doubling, before it rejects with `stream.service-unreachable`.
   */
  connect(local: string): Promise<Duplex>
  /**
   * Connects to a service beside the visitor: what it returns can be called for as long as the process runs, and connects
   * once for each call. For requests that are sent again.
   */
  connector(local: string): () => Promise<Duplex>
  /** Tells the server that the service is reached, and relays until both are done. */
  relay(service: Duplex): Promise<void>
  /** Connects to a service, as {@link connect} does, and relays until both are done: at the least cost. */
  relayTo(local: string): Promise<void>
  /** Tells the server that the service is reached, and hands the stream over, for kinds that do not relay byte by byte. */
  accept(): Duplex
}

/** The details of a visit, or what makes them for the session that carries it. */
export type VisitDetails = Details | ((session: SessionInfo) => Details)

/** How {@link VisitHost.openStream} opens. */
export interface VisitOptions extends Omit<OpenStreamOptions, 'details'> {
  readonly details?: VisitDetails
}

/** What the client gives the visiting half of a kind, one for each entry of `client.forwards`. */
export interface VisitHost {
  readonly log: Logger
  /** Aborted when the entry is taken back. */
  readonly signal: AbortSignal
  /** The session that is up now. */
  readonly session: SessionInfo | undefined
  /**
   * Waits for a session, `ms` milliseconds at most. Resolves at once when one is up, or when the entry is taken back; look
   * at {@link session} for what came of it.
   */
  up(ms: number): Promise<void>
  /**
   * Opens a stream to the proxy that accepts visits under this name, and relays until both are done. A visitor who is
   * refused is reset. A client with several sessions tries the next one when a server has no such proxy.
   */
  relay(visitor: Duplex, of: string, info: VisitorInfo, details?: VisitDetails): void
  /** Opens a stream for kinds that do not relay byte by byte. Resolves when the service is reached; rejects with `stream.*`. */
  openStream(of: string, info: VisitorInfo, options?: VisitOptions): Promise<OpenedStream>
}

/** A way to publish a service. `registries.proxies` */
export interface ProxyKind<Spec extends ProxySpec = ProxySpec, Entry extends ProxySpec = ProxySpec> {
  /** `tcp`, for example. */
  readonly kind: string
  /** The fields of a `client.proxies` entry beside `name`, `kind` and those common to all kinds. */
  readonly spec: TSchema
  /** Fields that are for the client alone and are not sent to the server, such as `local`. */
  readonly localFields?: readonly string[]
  /** Client: makes several proxies out of one entry, for port ranges. Throws `proxy.invalid`. */
  expand?(spec: Spec): Spec[]
  /** Server half. Throws what is to be told to the client. */
  publish(spec: Spec, host: PublishHost): Promise<Published>
  /** Client half. A throw resets the stream, and tells the server why. */
  reach(spec: Spec, host: ReachHost): Promise<void>
  /** The fields of a `client.forwards` entry beside `name` and `kind`. */
  readonly forward?: TSchema
  /** Visiting half: opens a way in at this client. Throws `listen.*`. Outlives sessions. */
  visit?(entry: Entry, host: VisitHost): Promise<Published>
  /** Fields whose change ends what is open, which a plan says. @default none: open streams go on */
  readonly endedBy?: readonly string[]
  /** Server: how visitors are told apart by host. @default by port */
  readonly routing?: VisitRouting
  /** Whether a stream that was opened shows that the service answers. @default true */
  readonly connects?: boolean
  /** How a service within the client's process is served, see `client.expose`. @default by its streams */
  readonly exposed?: {
    /** What a bare function is given: each stream, or each request that comes on one. */
    readonly by: 'streams' | 'requests'
    /** Fields of the entry, unless it has them. */
    readonly fields?: Details
  }
}
