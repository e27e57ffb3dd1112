/** A destination of lines. */
export interface Sink {
  /** Its name in the log. */
  readonly name: string
  /** Rejects when it is not writable. */
  open(): Promise<void>
  /**
   * Resolves when all data is with the system. Rejects when that is uncertain; the same data is then written again
   * later. One call at a time.
   */
  write(lines: Buffer): Promise<void>
  /** Aborts a write in progress. */
  close(): Promise<void>
}
