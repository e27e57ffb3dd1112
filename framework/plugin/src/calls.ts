import type { ProxySpec, SessionInfo, Side, StreamInfo } from '@rystra/model'
import type { AuthAnswer } from './authenticator.js'
import type { CallContext, CloseChannelContext, OpenChannelContext } from './channel.js'
import type {
  AuthContext,
  CloseRequestContext,
  CloseStreamContext,
  ConnectContext,
  Deny,
  Direction,
  DisconnectContext,
  HelloContext,
  OpenStreamContext,
  PublishedContext,
  RefusedContext,
  RequestContext,
  Respond,
  ResponseContext,
  UnregisterProxyContext
} from './hooks.js'
import type { Registries } from './registries.js'

/** A compiled chain of `onData` taps for one stream and one direction. Throws what a tap of policy `closed` threw. */
export type DataTap = (chunk: Buffer) => Buffer

/**
 * The calling side of the hooks, for the framework only: the kernel implements it, session, server and client call it.
 * Each method applies the rule of its hook without a tap and for a tap that throws, so that callers need not.
 */
export interface HookCalls {
  /** `undefined` to go on. A tap that fails refuses. */
  hello(context: HelloContext): Promise<Deny | undefined>
  /** Never rejects: who is not authenticated is denied. */
  auth(context: AuthContext): Promise<AuthAnswer>
  /** The spec to use. Throws `proxy.refused` when a tap denies or fails. */
  registerProxy(spec: ProxySpec, session: SessionInfo): Promise<ProxySpec>
  /** `undefined` at once, without a promise, when no tap concerns the stream. */
  openStream(context: OpenStreamContext): Promise<Deny | undefined> | undefined
  /** `undefined` when no tap concerns the stream: then it keeps the fast path. */
  dataTap(stream: StreamInfo, direction: Direction): DataTap | undefined
  closeStream(context: CloseStreamContext): void
  /** `undefined` at once, without a promise, without taps. A tap that fails refuses. */
  openChannel(context: OpenChannelContext): Promise<Deny | undefined> | undefined
  closeChannel(context: CloseChannelContext): void
  /** `undefined` without taps, so that a call costs nothing then. */
  readonly call: ((context: CallContext) => void) | undefined
  /** `undefined` at once, without a promise, when there is no tap. Rejects with `hook.*` when a tap fails: the service is not asked then. */
  request(context: RequestContext): Promise<Deny | Respond | undefined> | undefined
  /** The same. Rejects with `hook.*` when a tap fails: then there is no response. */
  response(context: ResponseContext): Promise<void> | undefined
  closeRequest(context: CloseRequestContext): void
  published(context: PublishedContext): void
  unregisterProxy(context: UnregisterProxyContext): void
  refused(context: RefusedContext): void
  connect(context: ConnectContext): void
  disconnect(context: DisconnectContext): void
}

/** One immutable set of extensions and hooks. What began in one ends in it: hold it as long as it is needed. */
export interface GenerationRef {
  readonly id: number
  readonly calls: HookCalls
  readonly registries: Registries
  /** Keeps this generation's extensions running until the returned function is called. */
  hold(): () => void
}

/** Where the framework gets the present generation from. */
export interface Generations {
  readonly side: Side
  readonly current: GenerationRef
}
