import {
  type AuthAnswer,
  type AuthContext,
  type AuthRound,
  type CallContext,
  type Deny,
  type Direction,
  type HelloContext,
  type HookName,
  hookNames,
  hookTable,
  type LifecycleContext,
  type OpenChannelContext,
  type OpenStreamContext,
  type ProxyContext,
  type ProxySpec,
  type ReloadContext,
  type RequestContext,
  type Respond,
  type ResponseContext,
  RystraError,
  type SessionInfo,
  type StreamInfo
} from '@rystra/plugin'
import { AsyncSeriesBailHook, AsyncSeriesHook, AsyncSeriesWaterfallHook, SyncHook, SyncWaterfallHook } from 'tapable'
import { acceptAuth, acceptChunk, acceptDeny, acceptNothing, acceptRequest, acceptSpec, Denial } from './answers.js'
import { type GuardHost, guardData, guardPromise, guardSync } from './guard.js'
import type { DataTap, HookCalls } from '../hook-calls.js'
import { RequestTaps } from './request-taps.js'
import { StreamTaps } from './stream-taps.js'
import type { Tap } from './tap.js'

type AsyncTappable = AsyncSeriesBailHook<never, unknown> | AsyncSeriesHook<never> | AsyncSeriesWaterfallHook<never>
type Observer<Context> = SyncHook<[Context]>

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

export interface Calls extends HookCalls {}

/**
 * The hooks of one generation, compiled, and the rules for calling them. Taps come in the order of the configuration;
 * within a hook, stages go before that.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor makes the methods of observers from the table
export class Calls {
  readonly #taps: readonly Tap[]
  readonly #host: GuardHost
  readonly #hello = new AsyncSeriesBailHook<[HelloContext], Deny>(['context'], 'onHello')
  readonly #auth = new AsyncSeriesBailHook<[AuthContext], AuthAnswer | AuthRound>(['context'], 'onAuth')
  readonly #register = new AsyncSeriesWaterfallHook<[ProxySpec, ProxyContext]>(['spec', 'context'], 'onRegisterProxy')
  readonly #open: StreamTaps<AsyncSeriesBailHook<[OpenStreamContext], Deny>>
  readonly #data: StreamTaps<SyncWaterfallHook<[Buffer, object], Buffer>>
  readonly #openChannel = new AsyncSeriesBailHook<[OpenChannelContext], Deny>(['context'], 'onOpenChannel')
  readonly #call: Observer<CallContext> = new SyncHook(['context'], 'onCall')
  readonly #request: RequestTaps<RequestContext, Deny | Respond>
  readonly #response: RequestTaps<ResponseContext, never>
  readonly #start = new AsyncSeriesHook<[LifecycleContext]>(['context'], 'onStart')
  readonly #shutdown = new AsyncSeriesHook<[LifecycleContext]>(['context'], 'onShutdown')
  readonly #reload = new AsyncSeriesHook<[ReloadContext]>(['context'], 'onReload')

  constructor(taps: readonly Tap[], host: GuardHost) {
    this.#taps = taps
    this.#host = host
    this.#fill(this.#hello, 'onHello', acceptDeny)
    this.#fill(this.#auth, 'onAuth', acceptAuth)
    this.#fill(this.#register, 'onRegisterProxy', acceptSpec)
    this.#open = new StreamTaps(this.#of('onOpenStream'), host, (chosen) => {
      const hook = new AsyncSeriesBailHook<[OpenStreamContext], Deny>(['context'], 'onOpenStream')
      for (const tap of chosen) this.#add(hook, tap, acceptDeny)
      return hook
    })
    this.#data = new StreamTaps(this.#of('onData'), host, (chosen) => {
      const hook = new SyncWaterfallHook<[Buffer, object], Buffer>(['chunk', 'context'], 'onData')
      for (const tap of chosen) hook.tap(called(tap), guardData(tap, host, acceptChunk) as () => Buffer)
      return hook
    })
    this.#fill(this.#openChannel, 'onOpenChannel', acceptDeny)
    for (const name of hookNames) if (hookTable[name].type === 'SyncHook' && name !== 'onCall') this.#observer(name)
    this.#observe(this.#call, 'onCall')
    this.#request = new RequestTaps(this.#of('onRequest'), host, acceptRequest)
    this.#response = new RequestTaps(this.#of('onResponse'), host, acceptNothing)
    this.#fill(this.#start, 'onStart', acceptNothing)
    this.#fill(this.#shutdown, 'onShutdown', acceptNothing, isolated)
    this.#fill(this.#reload, 'onReload', acceptNothing, isolated)
  }

  async hello(context: HelloContext): Promise<Deny | undefined> {
    if (!this.#hello.isUsed()) return undefined
    try {
      return await this.#hello.promise(context)
    } catch (error) {
      return { deny: messageOf(error) }
    }
  }

  async auth(context: AuthContext): Promise<AuthAnswer | AuthRound> {
    try {
      const answer = await this.#auth.promise(context)
      return answer ?? { deny: `no authenticator for the method ${JSON.stringify(context.method)}` }
    } catch (error) {
      return { deny: messageOf(error) }
    }
  }

  async registerProxy(spec: ProxySpec, session: SessionInfo): Promise<ProxySpec> {
    const sent = Object.freeze({ ...spec })
    if (!this.#register.isUsed()) return sent
    try {
      return await this.#register.promise(sent, Object.freeze({ session }))
    } catch (error) {
      if (error instanceof Denial) throw new RystraError(error.code, { side: 'server', detail: error.message })
      throw new RystraError('proxy.refused', { detail: messageOf(error), cause: error })
    }
  }

  openStream(context: OpenStreamContext): Promise<Deny | undefined> | undefined {
    if (this.#open.none) return undefined
    let hook: AsyncSeriesBailHook<[OpenStreamContext], Deny> | undefined
    try {
      hook = this.#open.for(context)
    } catch (error) {
      return Promise.resolve({ deny: messageOf(error) })
    }
    return hook?.promise(context).catch((error: unknown) => ({ deny: messageOf(error) }))
  }

  asksOpenStream(stream: StreamInfo): boolean {
    if (this.#open.none) return false
    try {
      return this.#open.for(stream) !== undefined
    } catch {
      return true
    }
  }

  dataTap(stream: StreamInfo, direction: Direction): DataTap | undefined {
    if (this.#data.none) return undefined
    let hook: SyncWaterfallHook<[Buffer, object], Buffer> | undefined
    try {
      hook = this.#data.for(stream)
    } catch (error) {
      // The stream has to be reset; its first chunk does it, where the caller expects a throw.
      return () => {
        throw error
      }
    }
    if (hook === undefined) return undefined
    const chosen = hook
    const context = Object.freeze({ stream, direction })
    return (chunk) => chosen.call(chunk, context)
  }

  openChannel(context: OpenChannelContext): Promise<Deny | undefined> | undefined {
    if (!this.#openChannel.isUsed()) return undefined
    return this.#openChannel.promise(context).catch((error: unknown) => ({ deny: messageOf(error) }))
  }

  get call(): ((context: CallContext) => void) | undefined {
    return this.#call.isUsed() ? (context) => this.#call.call(context) : undefined
  }

  get tapsRequests(): boolean {
    return this.#request.used
  }

  request(context: RequestContext): Promise<Deny | Respond | undefined> | undefined {
    return this.#request.call(context)
  }

  get tapsResponses(): boolean {
    return this.#response.used
  }

  response(context: ResponseContext): Promise<void> | undefined {
    return this.#response.call(context)
  }

  /** Rejects with `extension.start-failed` when a tap fails. */
  async start(context: LifecycleContext): Promise<void> {
    try {
      await this.#start.promise(context)
    } catch (error) {
      throw new RystraError('extension.start-failed', { detail: messageOf(error), cause: error })
    }
  }

  /** Never rejects. */
  shutdown(context: LifecycleContext): Promise<void> {
    return this.#shutdown.promise(context)
  }

  /** Never rejects. */
  reload(context: ReloadContext): Promise<void> {
    return this.#reload.promise(context)
  }

  /** Makes the method of an observer: `published` of `onPublished`. */
  #observer(name: HookName): void {
    const method = name.charAt(2).toLowerCase() + name.slice(3)
    const hook = new SyncHook<[unknown]>(['context'], name)
    this.#observe(hook, name)
    const value = hook.isUsed() ? (context: unknown) => hook.call(context) : untapped
    Object.defineProperty(this, method, { value })
  }

  /** The taps of one hook in the order in which they are called. */
  order(hook: HookName): Tap[] {
    return this.#of(hook)
  }

  /** Sorted as tapable does it: stable, lower stages first. */
  #of(hook: HookName): Tap[] {
    return this.#taps.filter((tap) => tap.hook === hook).sort((a, b) => a.stage - b.stage)
  }

  #fill(hook: unknown, name: HookName, accept: typeof acceptDeny, wrap?: typeof isolated): void {
    for (const tap of this.#of(name)) this.#add(hook, tap, accept, wrap)
  }

  #add(hook: unknown, tap: Tap, accept: typeof acceptDeny, wrap?: typeof isolated): void {
    const target = hook as AsyncTappable
    if (tap.promise) {
      const guarded = guardPromise(tap, this.#host, accept)
      target.tapPromise(called(tap), (wrap === undefined ? guarded : wrap(guarded)) as never)
    } else {
      const guarded = guardSync(tap, this.#host, accept)
      target.tap(called(tap), (wrap === undefined ? guarded : quiet(guarded)) as never)
    }
  }

  #observe(hook: unknown, name: HookName): void {
    for (const tap of this.#of(name)) {
      ;(hook as SyncHook<unknown[]>).tap(called(tap), quiet(guardSync(tap, this.#host, acceptNothing)))
    }
  }
}

/** An observer without taps. */
const untapped = (): void => {}

const called = (tap: Tap): { name: string; stage: number } => ({ name: tap.extension, stage: tap.stage })

/** Observers are isolated: their failures have been counted and logged by then. */
const quiet =
  (guarded: (...args: unknown[]) => unknown) =>
  (...args: unknown[]): void => {
    try {
      guarded(...args)
    } catch {}
  }

const isolated =
  (guarded: (...args: unknown[]) => Promise<unknown>) =>
  (...args: unknown[]): Promise<void> =>
    guarded(...args).then(
      () => undefined,
      () => undefined
    )
