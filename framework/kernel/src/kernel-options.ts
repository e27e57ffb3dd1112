import type { Clock, ListenHost, Logger, Metrics, Runtime, Side } from '@rystra/plugin'

/** What a kernel is made with. */
export interface KernelOptions {
  /** Which end it runs. */
  readonly side: Side
  /** Relative paths in options start here. @default the working directory */
  readonly dir?: string
  /** Where extensions keep what has to outlast the process. @default `.rystra` in `dir` */
  readonly stateDir?: string
  /** @default logs nothing */
  readonly log?: Logger
  /** @default the time of this machine */
  readonly clock?: Clock
  /** @default a {@link MetricStore} */
  readonly metrics?: Metrics
  /** Where extensions bind TCP ports. @default refuses */
  readonly ports?: ListenHost
  /** What extensions see of the end that they run in. @default one in which nothing runs */
  readonly runtime?: Runtime
  /**
   * Whether extensions that bind addresses of their own (`Lifecycle.listens`) are started. False for a short-lived end beside
   * the process of the same configuration, which has these addresses. @default true
   */
  readonly listening?: boolean
  /** Milliseconds for which what a reload removed keeps running while something that began before still holds it. @default 30000 */
  readonly drain?: number
  /** Milliseconds an extension may take to start, 0 for no limit: long enough to reach a slow disk or service. @default 30000 */
  readonly startTimeout?: number
  /** Milliseconds an extension may take to stop, 0 for no limit; then it is left behind. @default 10000 */
  readonly stopTimeout?: number
}

/**
 * What a kernel is doing. `failed` is a start that failed: everything was stopped again, and only `stop` is
 * left, which has nothing to do.
 */
export type KernelState = 'new' | 'provisioned' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'
