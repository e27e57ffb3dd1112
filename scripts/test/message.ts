/** What a process that runs tests sends to the one that started it. */
export type Message = TestMessage | ProblemMessage

/** The outcome of one test, or of a hook that failed. */
export interface TestMessage {
  readonly kind: 'test'
  /** Path of the spec file from the root of the repository. */
  readonly file: string
  readonly title: string
  readonly state: 'passed' | 'failed' | 'skipped'
  /** Milliseconds. */
  readonly duration: number
  /** Milliseconds since the run of this process began. */
  readonly at: number
  /** Stack and difference of a test that failed. */
  readonly error?: string
}

/** A failure that belongs to no test. */
export interface ProblemMessage {
  readonly kind: 'problem'
  readonly text: string
}
