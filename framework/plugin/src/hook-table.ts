import type { ProxySpec } from '@rystra/model'
import type { AuthAnswer, AuthRound } from './authenticator.js'
import type { CallContext, CloseChannelContext, OpenChannelContext } from './channel.js'
import type { Deny } from './deny.js'
import type {
  AuthContext,
  CloseRequestContext,
  CloseStreamContext,
  ConnectContext,
  DataContext,
  DisconnectContext,
  HelloContext,
  LifecycleContext,
  OpenStreamContext,
  ProxyContext,
  PublishedContext,
  RefusedContext,
  ReloadContext,
  RequestContext,
  Respond,
  ResponseContext,
  UnregisterProxyContext
} from './hooks.js'
import { hook, observer, type Row } from './hook-facts.js'
import type { AsyncHook, StreamTapOptions, SyncHook } from './taps.js'

// biome-ignore lint/suspicious/noConfusingVoidType: a tap that returns nothing is the usual one
type Nothing = undefined | void

/** One row for each hook, in the order in which a session meets them. */
export const hookTable = Object.freeze({
  /** Server: a peer said Hello. First `{ deny }` wins; it refuses the session. Without a tap: go on. */
  onHello: hook<AsyncHook<[HelloContext], Deny | Nothing>>({
    type: 'AsyncSeriesBailHook',
    async: true,
    perStream: false,
    observer: false,
    side: 'server',
    when: 'The server, when a peer said Hello, before it chooses a method of authentication. The peer is not authenticated: believe nothing but its address.',
    args: { context: 'HelloContext' },
    answer:
      '`{ deny: reason }` refuses the session; the first one wins, and later taps are not asked. The reason goes to the log, not to the peer. With `retryAfter` the code is `session.limit`, and clients try again by themselves. Nothing: go on.',
    untapped: 'Go on.',
    failure: 'The session is refused.'
  }),
  /**
   * Server: a peer sent its proof. First answer wins: an identity, or `{ deny }`. Without an answer: **refused**.
   * Each registered authenticator has a tap here, at stage NORMAL, for its own method.
   */
  onAuth: hook<AsyncHook<[AuthContext], AuthAnswer | AuthRound | Nothing>>({
    type: 'AsyncSeriesBailHook',
    async: true,
    perStream: false,
    observer: false,
    side: 'server',
    when: 'The server, when a peer sent its proof. Each registered authenticator that can verify has a tap here, at stage NORMAL, for its own method.',
    args: { context: 'AuthContext' },
    answer:
      '`{ identity, confirm?, secret? }` accepts, `{ deny: reason }` refuses, `{ challenge, next }` asks the client for a further proof; the first answer wins, and later taps are not asked. The reason goes to the log, not to the peer. Nothing: the next tap is asked.',
    untapped: '**Refused.** Without an identity there is no session.',
    failure: '**Refused.**'
  }),
  /** Both ends: a session is up. An observer. */
  onConnect: hook<SyncHook<(context: ConnectContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'both',
    when: 'Either end, when a session is up: authenticated, multiplexed, before its first proxy.',
    args: { context: 'ConnectContext' },
    ...observer
  }),
  /** Server: a client wants to register a proxy. Answers with the changed spec, or `{ deny }`, or nothing. */
  onRegisterProxy: hook<AsyncHook<[ProxySpec, ProxyContext], ProxySpec | Deny | Nothing>>({
    type: 'AsyncSeriesWaterfallHook',
    async: true,
    perStream: false,
    observer: false,
    side: 'server',
    when: 'The server, when a client asks for a proxy, before the spec is checked against its kind and published.',
    args: { spec: 'ProxySpec', context: 'ProxyContext' },
    answer:
      'A spec replaces the one so far, and later taps get that one; it keeps the `name`, by which both ends know the proxy. `{ deny: reason }` refuses this proxy, and the client is told the reason. Nothing: the spec stays. The spec is frozen: answer a changed copy.',
    untapped: 'The spec is used as it was sent.',
    failure: 'This proxy is refused (`proxy.refused`); the session goes on.'
  }),
  /** Both ends: a stream is about to be opened. First `{ deny }` wins; it refuses the stream. Without a tap: go on. */
  onOpenStream: hook<AsyncHook<[OpenStreamContext], Deny | Nothing, StreamTapOptions>>({
    type: 'AsyncSeriesBailHook',
    async: true,
    perStream: true,
    observer: false,
    side: 'both',
    when: 'The server, when a visitor has connected, before a data stream is opened; the client, when a stream has arrived, before the service is connected to.',
    args: { context: 'OpenStreamContext' },
    answer:
      '`{ deny: reason }` refuses the stream; the first one wins; with `retryAfter` the code is `stream.limit`, with `hidden` a visit is answered as if there were nothing. `context.through()` puts transforms into its path, `context.pace()` slows it down. Nothing: go on.',
    untapped: 'Go on, without waiting.',
    failure: 'The stream is refused.'
  }),
  /**
   * Both ends: a chunk passes. Answers with the chunk to pass on instead (empty to drop it), or nothing.
   * The chunk is the tap's to read, and to change in place, until it returns.
   */
  onData: hook<SyncHook<(chunk: Buffer, context: DataContext) => Buffer | Nothing, StreamTapOptions>>({
    type: 'SyncWaterfallHook',
    async: false,
    perStream: true,
    observer: false,
    side: 'both',
    when: 'Either end, for each chunk that passes. Which taps concern a stream is decided once, when it opens.',
    args: { chunk: 'Buffer', context: 'DataContext' },
    answer:
      "A buffer is passed on instead, and later taps get that one. An empty one drops the chunk, and later taps are not asked. Nothing: the chunk stays. A chunk may also be changed in place; it is not the tap's any more once the tap has returned.",
    untapped: 'It is not called at all, and the stream keeps the fast path.',
    failure: 'The stream is reset.'
  }),
  /** Both ends: a stream is over. An observer. */
  onCloseStream: hook<SyncHook<(context: CloseStreamContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'both',
    when: 'Either end, when a stream is over, also one that was refused.',
    args: { context: 'CloseStreamContext' },
    ...observer
  }),
  /** Both ends: a channel is about to be opened. First `{ deny }` wins; it refuses the channel. Without a tap: go on. */
  onOpenChannel: hook<AsyncHook<[OpenChannelContext], Deny | Nothing>>({
    type: 'AsyncSeriesBailHook',
    async: true,
    perStream: false,
    observer: false,
    side: 'both',
    when: 'Either end, when a channel is about to be opened: at the end that opens it before anything is sent, at the other end before its handler gets it.',
    args: { context: 'OpenChannelContext' },
    answer:
      '`{ deny: reason }` refuses the channel (`channel.refused`), and the other end is told the reason; the first one wins. Nothing: go on.',
    untapped: 'Go on, without waiting.',
    failure: 'The channel is refused.'
  }),
  /** Both ends: a channel is over. An observer. */
  onCloseChannel: hook<SyncHook<(context: CloseChannelContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'both',
    when: 'Either end, when a channel is over, also one that was refused.',
    args: { context: 'CloseChannelContext' },
    ...observer
  }),
  /** Both ends: a call of RPC is over. An observer. */
  onCall: hook<SyncHook<(context: CallContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'both',
    when: 'Either end, when a request, an event or a stream of RPC is over. Not called without taps.',
    args: { context: 'CallContext' },
    ...observer
  }),
  /**
   * Server: the head of an HTTP request was read, its route found. First `{ deny }` or `{ respond }` wins. The head may
   * be changed in place.
   */
  onRequest: hook<AsyncHook<[RequestContext], Deny | Respond | Nothing>>({
    type: 'AsyncSeriesBailHook',
    async: true,
    perStream: false,
    observer: false,
    side: 'server',
    when: 'The server, in kinds that speak HTTP, when the head of a request was read and its route found, before it goes to the service.',
    args: { context: 'RequestContext' },
    answer:
      '`{ deny: reason, retryAfter? }` refuses with 403, or with 429 where `retryAfter` says when to try again; `{ respond: { status, headers?, body? } }` answers instead of the service. The first one wins. Nothing: go on. `target` and `headers` may be changed in place.',
    untapped: 'Go on, without waiting.',
    failure: 'The visitor gets 500 (`hook.failed`, `hook.timeout`), and the service is not asked.'
  }),
  /** Server: the head of its response has come. It may be changed in place. */
  onResponse: hook<AsyncHook<[ResponseContext], Nothing>>({
    type: 'AsyncSeriesHook',
    async: true,
    perStream: false,
    observer: false,
    side: 'server',
    when: 'The server, in kinds that speak HTTP, when the head of a response of the service has come. Not for 1xx, and not for what is answered without the service.',
    args: { context: 'ResponseContext' },
    answer: 'Nothing; what a tap returns is ignored. `status` and `headers` may be changed in place.',
    untapped: 'Go on, without waiting.',
    failure: 'The visitor gets 500 (`hook.failed`, `hook.timeout`) instead of the response.'
  }),
  /** Server: a request is over. An observer. */
  onCloseRequest: hook<SyncHook<(context: CloseRequestContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'server',
    when: 'The server, in kinds that speak HTTP, when a request is over, also one that was refused.',
    args: { context: 'CloseRequestContext' },
    ...observer
  }),
  /** Server: a proxy is published, after every hook and check. An observer. */
  onPublished: hook<SyncHook<(context: PublishedContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'server',
    when: 'The server, when a proxy can be reached by visitors, after every hook and check; before its client is told.',
    args: { context: 'PublishedContext' },
    ...observer
  }),
  /** Server: a proxy is gone. An observer. */
  onUnregisterProxy: hook<SyncHook<(context: UnregisterProxyContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'server',
    when: 'The server, when a proxy is gone, for whatever reason.',
    args: { context: 'UnregisterProxyContext' },
    ...observer
  }),
  /**
   * Both ends: a session, a proxy or a stream was refused, by a hook or by the framework. An observer. Failed
   * authentications are among them: `what` is `session`, and the code `auth.*`.
   */
  onRefused: hook<SyncHook<(context: RefusedContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'both',
    when: 'The server, when it refused a session, a proxy or a stream, by a hook or by itself; a session counts that ended before it was up. The client, when the server refused a proxy, and when it refused a stream itself.',
    args: { context: 'RefusedContext' },
    ...observer
  }),
  /** Both ends: a session is over. An observer. */
  onDisconnect: hook<SyncHook<(context: DisconnectContext) => void>>({
    type: 'SyncHook',
    async: false,
    perStream: false,
    side: 'both',
    when: 'Either end, when a session is over.',
    args: { context: 'DisconnectContext' },
    ...observer
  }),
  /** Both ends: all extensions have started. A throw fails the start. */
  onStart: hook<AsyncHook<[LifecycleContext], void>>({
    type: 'AsyncSeriesHook',
    async: true,
    perStream: false,
    observer: false,
    side: 'both',
    when: 'The kernel, once, when all extensions have started.',
    args: { context: 'LifecycleContext' },
    answer: 'Nothing; what a tap returns is ignored.',
    untapped: 'Go on.',
    failure: 'The start fails (`extension.start-failed`), and everything is stopped again.'
  }),
  /** Both ends: a new generation has taken over. A throw is logged. */
  onReload: hook<AsyncHook<[ReloadContext], void>>({
    type: 'AsyncSeriesHook',
    async: true,
    perStream: false,
    side: 'both',
    when: 'The kernel, when a new generation has taken over. The taps of the new generation are called. `added` names what is new, `removed` what is gone; an extension whose options changed is in both.',
    args: { context: 'ReloadContext' },
    ...observer,
    failure: 'It is logged and counted. The other taps still run; the reload stands.'
  }),
  /** Both ends: before extensions are stopped. A throw is logged. */
  onShutdown: hook<AsyncHook<[LifecycleContext], void>>({
    type: 'AsyncSeriesHook',
    async: true,
    perStream: false,
    side: 'both',
    when: 'The kernel, once, before it stops the extensions; not after a start that failed.',
    args: { context: 'LifecycleContext' },
    ...observer,
    failure: 'It is logged and counted. The other taps still run; the stop goes on.'
  })
})

export type HookName = keyof typeof hookTable

/** Every hook there is. An extension can tap them, not call them. See docs/reference/hooks.md. */
export type Hooks = {
  readonly [Name in HookName]: (typeof hookTable)[Name] extends Row<infer Hook> ? Hook : never
}

/** Names of all hooks, frozen. */
export const hookNames: readonly HookName[] = Object.freeze(Object.keys(hookTable) as HookName[])
