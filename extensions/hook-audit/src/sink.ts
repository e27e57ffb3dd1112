/** Where lines go. */
export interface Sink {
  /** What it is, for the log. */
  readonly name: string
  /** Rejects when it cannot be written to at all. */
  open(): Promise<void>
  /**
   * Resolves when all of it is handed to the system. Rejects when it is not sure that it is; the same is then given
   * again, later. One at a time.
   */
  write(lines: Buffer): Promise<void>
  /** Gives up what is under way. */
  close(): Promise<void>
}
