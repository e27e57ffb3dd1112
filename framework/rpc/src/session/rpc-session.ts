import type { SessionClock } from '../clock/session-clock.js'
import type { State, StateKey } from '../context/state.js'
import type { RpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'
import type { ClientOptions } from '../links.js'
import type { Route } from '../router/route.js'
import type {
  EventContract,
  FromServer,
  Members,
  RequestContract,
  Service,
  StreamContract,
  TypeOf
} from '../service/define.js'
import type { TypedStream } from '../service/typed-stream.js'
import type { RequestOptions } from './outgoing-calls.js'
import type { RpcPeer } from './peer.js'
import type { RpcStream } from './rpc-stream.js'
import type { StreamOptions } from './stream-options.js'

/** What a session tells. */
export interface RpcSessionEvents {
  /** There is a connection; also the first time. */
  up: []
  /** The connection is lost; calls wait for the next one within their deadlines. */
  down: [error: Error | undefined]
  /** The other side takes no new calls. */
  goAway: [error: RpcError]
  /** It is over. */
  close: [error: Error | undefined]
}

/** Answers a request: with a value, or a promise of one. */
// biome-ignore lint/suspicious/noExplicitAny: what a handler takes is its own; contracts give it a type
export type Handler = (session: RpcSession, data: any, call: IncomingCall) => unknown
// biome-ignore lint/suspicious/noExplicitAny: the same
export type Listener = (session: RpcSession, data: any, call: IncomingCall) => unknown
export type StreamHandler = (session: RpcSession, stream: RpcStream, call: IncomingCall) => unknown

/** What else is said of a handler. */
export type HandlerOptions = Pick<Route<Handler>, 'replaySafe'>

/** What is handled, by name. */
export interface Routes {
  /** A later one of the same name replaces an earlier one. */
  handler(route: Route<Handler>): void
  /** Several may listen to one name. The answer takes it out again. */
  listener(route: Route<Listener>): () => void
  streamHandler(route: Route<StreamHandler>): void
  findHandler(name: string): Route<Handler> | undefined
}

/** What a handler knows of the call besides its data. */
export interface IncomingCall {
  readonly id: number
  readonly name: string
  readonly session: RpcSession
  readonly metadata: Metadata
  /** When it came, by `performance.now()`. */
  readonly since: number
  /**
   * Milliseconds that are left to the caller, at least 1; `undefined` when it waits for as long as it takes. Pass it on to
   * further calls, with {@link signal}.
   */
  readonly deadline: number | undefined
  /** Aborted when the caller gives up, its deadline passes, or the session is lost. The reason is an {@link RpcError}. */
  readonly signal: AbortSignal
  /** Whether the caller still waits. */
  readonly open: boolean
}

type Answer<Value> = Value | Promise<Value>

/** What handles one member. */
export type HandlerOf<Each> =
  Each extends RequestContract<infer In, infer Out>
    ? (session: RpcSession, data: TypeOf<In>, call: IncomingCall) => Answer<TypeOf<Out>>
    : Each extends EventContract<infer Data>
      ? (session: RpcSession, data: TypeOf<Data>, call: IncomingCall) => unknown
      : Each extends StreamContract<infer Up, infer Down>
        ? (session: RpcSession, stream: TypedStream<TypeOf<Down>, TypeOf<Up>>, call: IncomingCall) => unknown
        : never

/** How one member is used by the side that calls it. */
export type CallOf<Each> =
  Each extends RequestContract<infer In, infer Out>
    ? (data: TypeOf<In>, options?: RequestOptions) => Promise<TypeOf<Out>>
    : Each extends EventContract<infer Data>
      ? (data: TypeOf<Data>) => Promise<void> | undefined
      : Each extends StreamContract<infer Up, infer Down>
        ? (options?: Pick<StreamOptions, 'metadata'>) => TypedStream<TypeOf<Up>, TypeOf<Down>>
        : Each extends FromServer<infer Contract>
          ? (fn: HandlerOf<Contract>) => () => void
          : never

/** A service as one session offers it. Members `fromServer` take what handles them, on this session alone. */
export type ServiceView<Of extends Members> = { readonly [Name in keyof Of]: CallOf<Of[Name]> }

/** The relation with one other program: requests, events and streams, both ways. */
export interface RpcSession {
  /** Told to the other side with each channel. */
  readonly id: string
  /** The program at the other end. */
  readonly remote: RpcPeer
  /** State of the whole program. */
  readonly context: State
  /** What is handled on this session. */
  readonly router: Routes
  /** The name an authenticator gave the peer. */
  readonly identity: RpcPeer['identity']
  /** Whether there is a connection. */
  readonly connected: boolean
  readonly closed: boolean
  /** Round trip of the last ping, in milliseconds. */
  readonly rtt: number | undefined
  /** The clock of the other side. Synchronised from the first use on, by pings. */
  readonly clock: SessionClock
  /** Streams that are open now. */
  readonly streams: number
  /** Whether calls of either side are not answered, or streams are open. */
  readonly busy: boolean
  /** Calls of this side that are not answered. */
  readonly pending: number
  /** What the other side told when the connection began. */
  readonly peerMetadata: Metadata
  /**
   * Opens a stream of messages. It may be used at once: what is wrong with the opening rejects its first use, with
   * `rpc.unknown`, `rpc.denied`, `rpc.busy`, `rpc.lost` or an error of the handler.
   */
  createStream(name: string, options?: StreamOptions): RpcStream
  /** Client: the session with another client, through the server. Throws `rpc.unavailable` elsewhere. */
  peer(id: string, options?: ClientOptions): RpcSession
  /** A service of the other side, as functions. On a server: `session.use(reverse(Chat))`. */
  use<Of extends Members>(service: Service<Of>): ServiceView<Of>
  get<Value>(key: StateKey<Value>): Value | undefined
  set<Value>(key: StateKey<Value>, value: Value): this
  /**
   * Asks the other side. Rejects with an {@link RpcError}: one of its handler, or `rpc.unknown`, `rpc.invalid`,
   * `rpc.busy`, `rpc.deadline`, `rpc.cancelled`, `rpc.lost` and others of the framework.
   */
  request(name: string, data?: unknown, options?: RequestOptions): Promise<unknown>
  /**
   * Tells the other side. Nothing is answered: when it was sent at once, or there is no connection and it is gone. A
   * promise: it waits until listeners there are done with earlier ones. Throws `rpc.busy` when too many wait already.
   */
  emit(name: string, data?: unknown, metadata?: Metadata): Promise<void> | undefined
  /** Listens to what becomes of the session itself. The answer stops it. */
  on<Name extends keyof RpcSessionEvents>(name: Name, fn: (...args: RpcSessionEvents[Name]) => void): () => void
  /** Listens to events of this session alone. The answer stops it. */
  listen(name: string, fn: Listener): () => void
  /** Tells the other side to make no new calls; those in flight go on. */
  goAway(error?: RpcError): void
  /** Ends it: what is queued is sent, calls in flight are rejected with `rpc.lost`. */
  close(): void
}
