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
import { AsyncSeriesBailHook, AsyncSeriesHook, AsyncSeriesWaterfallHook, SyncWaterfallHook } from 'tapable'
import {
  type Accept,
  acceptAuth,
  acceptChunk,
  acceptDeny,
  acceptNothing,
  acceptRequest,
  acceptSpec,
  Denial
} from './answers.js'
import { type GuardHost, guardData, guardPromise, guardSync } from './guard.js'
import type { DataTap, HookCalls } from '../hook-calls.js'
import { RequestTaps } from './request-taps.js'
import { StreamTaps } from './stream-taps.js'
import type { Tap } from './tap.js'

type AsyncTappable = AsyncSeriesBailHook<never, unknown> | AsyncSeriesHook<never> | AsyncSeriesWaterfallHook<never>
type Observer<Context> = (context: Context) => void

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
  // Made where there are taps: an end has few of them, and a program may have a thousand clients.
  readonly #hello: AsyncSeriesBailHook<[HelloContext], Deny> | undefined
  readonly #auth: AsyncSeriesBailHook<[AuthContext], AuthAnswer | AuthRound> | undefined
  readonly #register: AsyncSeriesWaterfallHook<[ProxySpec, ProxyContext]> | undefined
  readonly #open: StreamTaps<AsyncSeriesBailHook<[OpenStreamContext], Deny>>
  readonly #data: StreamTaps<SyncWaterfallHook<[Buffer, object], Buffer>>
  readonly #openChannel: AsyncSeriesBailHook<[OpenChannelContext], Deny> | undefined
  /** `undefined` without taps, so that a call costs nothing then. */
  readonly call: Observer<CallContext> | undefined
  readonly #request: RequestTaps<RequestContext, Deny | Respond>
  readonly #response: RequestTaps<ResponseContext, never>
  readonly #start: AsyncSeriesHook<[LifecycleContext]> | undefined
  readonly #shutdown: AsyncSeriesHook<[LifecycleContext]> | undefined
  readonly #reload: AsyncSeriesHook<[ReloadContext]> | undefined

  constructor(taps: readonly Tap[], host: GuardHost) {
    this.#taps = taps
    this.#host = host
    this.#hello = this.#tapped('onHello', () => new AsyncSeriesBailHook(['context']), acceptDeny)
    this.#auth = this.#tapped('onAuth', () => new AsyncSeriesBailHook(['context']), acceptAuth)
    const registering = (): AsyncSeriesWaterfallHook<[ProxySpec, ProxyContext]> =>
      new AsyncSeriesWaterfallHook(['spec', 'context'])
    this.#register = this.#tapped('onRegisterProxy', registering, acceptSpec)
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
    this.#openChannel = this.#tapped('onOpenChannel', () => new AsyncSeriesBailHook(['context']), acceptDeny)
    for (const name of observerNames) {
      // `published` of `onPublished`.
      const method = name.charAt(2).toLowerCase() + name.slice(3)
      Object.defineProperty(this, method, { value: this.#observer(name) ?? untapped })
    }
    this.call = this.#observer('onCall')
    this.#request = new RequestTaps(this.#of('onRequest'), host, acceptRequest)
    this.#response = new RequestTaps(this.#of('onResponse'), host, acceptNothing)
    const lifecycle = <Context>(): AsyncSeriesHook<[Context]> => new AsyncSeriesHook(['context'])
    this.#start = this.#tapped('onStart', lifecycle<LifecycleContext>, acceptNothing)
    this.#shutdown = this.#tapped('onShutdown', lifecycle<LifecycleContext>, acceptNothing, isolated)
    this.#reload = this.#tapped('onReload', lifecycle<ReloadContext>, acceptNothing, isolated)
  }

  async hello(context: HelloContext): Promise<Deny | undefined> {
    if (this.#hello === undefined) return undefined
    try {
      return await this.#hello.promise(context)
    } catch (error) {
      return { deny: messageOf(error) }
    }
  }

  async auth(context: AuthContext): Promise<AuthAnswer | AuthRound> {
    try {
      const answer = await this.#auth?.promise(context)
      return answer ?? { deny: `no authenticator for the method ${JSON.stringify(context.method)}` }
    } catch (error) {
      return { deny: messageOf(error) }
    }
  }

  async registerProxy(spec: ProxySpec, session: SessionInfo): Promise<ProxySpec> {
    const sent = Object.freeze({ ...spec })
    if (this.#register === undefined) return sent
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
    return this.#openChannel?.promise(context).catch((error: unknown) => ({ deny: messageOf(error) }))
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
      await this.#start?.promise(context)
    } catch (error) {
      throw new RystraError('extension.start-failed', { detail: messageOf(error), cause: error })
    }
  }

  /** Never rejects. */
  async shutdown(context: LifecycleContext): Promise<void> {
    await this.#shutdown?.promise(context)
  }

  /** Never rejects. */
  async reload(context: ReloadContext): Promise<void> {
    await this.#reload?.promise(context)
  }

  /** Calls all taps of a hook that only observes; `undefined` without one. */
  #observer(name: HookName): Observer<unknown> | undefined {
    const taps = this.#of(name).map((tap) => quiet(guardSync(tap, this.#host, acceptNothing)))
    if (taps.length < 2) return taps[0]
    return (context) => {
      for (const tap of taps) tap(context)
    }
  }

  /** The taps of one hook in the order in which they are called. */
  order(hook: HookName): Tap[] {
    return this.#of(hook)
  }

  /** Sorted as tapable does it: stable, lower stages first. */
  #of(hook: HookName): Tap[] {
    return this.#taps.filter((tap) => tap.hook === hook).sort((a, b) => a.stage - b.stage)
  }

  /** The hook with its taps; `undefined` without one. */
  #tapped<Hook>(name: HookName, make: () => Hook, accept: Accept, wrap?: typeof isolated): Hook | undefined {
    const taps = this.#of(name)
    if (taps.length === 0) return undefined
    const hook = make()
    for (const tap of taps) this.#add(hook, tap, accept, wrap)
    return hook
  }

  #add(hook: unknown, tap: Tap, accept: Accept, wrap?: typeof isolated): void {
    const target = hook as AsyncTappable
    if (tap.promise) {
      const guarded = guardPromise(tap, this.#host, accept)
      target.tapPromise(called(tap), (wrap === undefined ? guarded : wrap(guarded)) as never)
    } else {
      const guarded = guardSync(tap, this.#host, accept)
      target.tap(called(tap), (wrap === undefined ? guarded : quiet(guarded)) as never)
    }
  }
}

const observerNames = hookNames.filter((name) => hookTable[name].type === 'SyncHook' && name !== 'onCall')

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
