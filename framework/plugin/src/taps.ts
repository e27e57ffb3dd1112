import type { StreamInfo } from '@rystra/model'

/** What happens when a tap throws or does not answer in time. */
export type FailurePolicy =
  /** What the hook is about is refused. */
  | 'closed'
  /** As if the tap had answered nothing. */
  | 'open'
  /** As `open`, and the tap is left out for the next 30 seconds. */
  | 'skip'

/** Where a tap stands among the taps of a hook. Within one stage, the order of the configuration holds. */
export const GUARD = -100
/** The stage of a tap that names none. */
export const NORMAL = 0
/** After all others; sees what they made of it. */
export const OBSERVE = 100
/** One of the three, or a number between. */
export type Stage = number

/** How a tap wants to be called. */
export interface TapOptions {
  /** @default NORMAL */
  readonly stage?: Stage
  /** Milliseconds an asynchronous tap may take; 0 for no limit. @default 5000 */
  readonly timeout?: number
  /** @default 'closed' */
  readonly onFailure?: FailurePolicy
}

/** How a tap of `onOpenStream` or `onData` wants to be called. */
export interface StreamTapOptions extends TapOptions {
  /**
   * Whether the tap concerns a stream; asked once, when it opens. A stream that no `onData` tap concerns keeps the fast
   * path. @default every stream
   */
  readonly concerns?: (stream: StreamInfo) => boolean
}

/** A hook with synchronous taps only. An async function is refused by the name of its extension. */
export interface SyncHook<Fn extends (...args: never[]) => unknown, Options extends TapOptions = TapOptions> {
  tap(fn: Fn): void
  tap(options: Options, fn: Fn): void
}

/** A hook whose taps may be asynchronous. */
export interface AsyncHook<Args extends unknown[], Answer, Options extends TapOptions = TapOptions>
  extends SyncHook<(...args: Args) => Answer, Options> {
  tapPromise(fn: (...args: Args) => Promise<Answer>): void
  tapPromise(options: Options, fn: (...args: Args) => Promise<Answer>): void
}
