import type {
  ExtensionAddress,
  AuthAnswer,
  AuthRound,
  AuthContext,
  CallContext,
  Deny,
  Direction,
  HelloContext,
  HookName,
  Hooks,
  OpenChannelContext,
  OpenStreamContext,
  ProxySpec,
  Registries,
  RequestHooks,
  SessionInfo,
  Side,
  StreamInfo,
  SyncHook,
  TSchema
} from '@rystra/plugin'

/** A compiled chain of `onData` taps for one stream and one direction. Throws what a tap of policy `closed` threw. */
export type DataTap = (chunk: Buffer) => Buffer

/** Hooks whose taps only observe, without an answer. */
type ObserverName = {
  [Name in HookName]: Hooks[Name] extends { tapPromise: unknown }
    ? never
    : Hooks[Name] extends { tap(fn: (context: never) => void): void }
      ? Name
      : never
}[HookName]

type ContextOf<Name extends HookName> = Hooks[Name] extends SyncHook<(context: infer Context) => void> ? Context : never

/** One method for each observer of the table: `published` for `onPublished`. */
type ObserverCalls = {
  readonly [Name in Exclude<ObserverName, 'onCall' | 'onCloseRequest'> as Name extends `on${infer Rest}`
    ? Uncapitalize<Rest>
    : never]: (context: ContextOf<Name>) => void
}

/**
 * The calling side of the hooks, for the framework only: the kernel implements it, session, server and client call it.
 * Each method applies the rule of its hook without a tap and for a tap that throws, so that callers need not.
 */
export interface HookCalls extends ObserverCalls, RequestHooks {
  /** `undefined` to go on. A tap that fails refuses. */
  hello(context: HelloContext): Promise<Deny | undefined>
  /** Never rejects: who is not authenticated is denied. */
  auth(context: AuthContext): Promise<AuthAnswer | AuthRound>
  /** The spec to use. Throws `proxy.refused` when a tap denies or fails. */
  registerProxy(spec: ProxySpec, session: SessionInfo): Promise<ProxySpec>
  /** `undefined` at once, without a promise, when no tap concerns the stream. */
  openStream(context: OpenStreamContext): Promise<Deny | undefined> | undefined
  /** Whether a tap concerns the stream. */
  asksOpenStream(stream: StreamInfo): boolean
  /** `undefined` when no tap concerns the stream: then it keeps the fast path. */
  dataTap(stream: StreamInfo, direction: Direction): DataTap | undefined
  /** `undefined` at once, without a promise, without taps. A tap that fails refuses. */
  openChannel(context: OpenChannelContext): Promise<Deny | undefined> | undefined
  /** `undefined` without taps, so that a call costs nothing then. */
  readonly call: ((context: CallContext) => void) | undefined
}

/** An address, and the extension that binds it. */
export interface ListeningExtension extends ExtensionAddress {
  readonly extension: string
}

/** One immutable set of extensions and hooks. What began in one ends in it: hold it as long as it is needed. */
export interface GenerationRef {
  readonly id: number
  readonly calls: HookCalls
  readonly registries: Registries
  /** What its extensions bind when they start. */
  readonly listens: readonly ListeningExtension[]
  /** Schemas of the options of its extensions, by name, package and file. */
  readonly optionSchemas: ReadonlyMap<string, TSchema>
  /** Keeps this generation's extensions running until the returned function is called. */
  hold(): () => void
}

/** Where the framework gets the present generation from. */
export interface Generations {
  readonly side: Side
  readonly current: GenerationRef
}
