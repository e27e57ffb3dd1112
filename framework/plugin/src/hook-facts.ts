/** Everything there is to say of one hook: its type, what the kernel goes by, and what docs/reference/hooks.md is made from. */
export interface HookFacts {
  /** The class of tapable it is. */
  readonly type:
    | 'AsyncSeriesBailHook'
    | 'AsyncSeriesWaterfallHook'
    | 'SyncWaterfallHook'
    | 'SyncHook'
    | 'AsyncSeriesHook'
  /** Whether taps may be asynchronous. */
  readonly async: boolean
  /** Whether taps may say which streams concern them. */
  readonly perStream: boolean
  /** Whether answers and errors change nothing: all taps run, errors are logged. */
  readonly observer: boolean
  /** The ends that call it. */
  readonly side: 'server' | 'client' | 'both'
  /** Its caller, and the moment. */
  readonly when: string
  /** Arguments as a tap gets them, name and type. */
  readonly args: Readonly<Record<string, string>>
  /** What a tap may answer, and what that means. */
  readonly answer: string
  /** What happens without a tap, or without an answer. */
  readonly untapped: string
  /** What happens when a tap of policy `closed` throws, or does not answer in time. */
  readonly failure: string
}

/** A row of the table, with the type of what extensions tap. */
export type Row<Hook> = HookFacts & { readonly hook?: Hook }

/** Makes a row. */
export const hook = <Hook>(facts: HookFacts): Row<Hook> => facts

/** What is said of every hook whose taps only observe. */
export const observer = {
  answer: 'Nothing; what a tap returns is ignored.',
  untapped: 'Nothing happens.',
  failure: 'It is logged and counted. The other taps still run, and what happened is not changed.',
  observer: true
}
