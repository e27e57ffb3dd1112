/** What a process that runs spec files sends to the one that started it. */
export type Message = ReadyMessage | TestMessage | ProblemMessage | DoneMessage

/** The process takes spec files. */
export interface ReadyMessage {
  readonly kind: 'ready'
}

/** The outcome of one test, or of a hook that failed. */
export interface TestMessage {
  readonly kind: 'test'
  /** Path of the spec file from the root of the repository. */
  readonly file: string
  readonly title: string
  readonly state: 'passed' | 'failed' | 'skipped'
  /** Milliseconds. */
  readonly duration: number
  /** Stack and difference of a test that failed. */
  readonly error?: string
}

/** A failure that belongs to no test. */
export interface ProblemMessage {
  readonly kind: 'problem'
  readonly text: string
}

/** A spec file has run, and nothing of it is left open. */
export interface DoneMessage {
  readonly kind: 'done'
  /** Milliseconds of CPU that it took, of the processes that it started as well. */
  readonly cpu: number
}

/** What a process is to do: run a spec file, or end by itself. */
export type Order = { readonly kind: 'run'; readonly file: string } | { readonly kind: 'end' }
