/** A counter of a cluster. */
export interface Counter {
  value: number
  /** When it is 0 again, in milliseconds since the epoch. */
  readonly until: number
}
