/** Time, so that tests can put another in its place. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls `fn` once, after `ms` milliseconds, unless the returned function is called first. Does not keep the process up. */
  after(ms: number, fn: () => void): () => void
}
