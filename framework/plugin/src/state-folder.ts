/**
 * Files of one extension that outlast the process, in `<stateDir>/extensions/<name>`: a key, a database, what was counted.
 * The folder is made by the first writer, and is readable by its owner alone. Names of files: 1 to 128 letters, digits and
 * `. _ -`, not beginning with a dot. All reject with `extension.state`, naming the path.
 */
export interface StateFolder {
  /** Where it is, also while it does not exist yet. */
  readonly path: string
  /** Makes the folder if need be, for libraries that write files of their own. Resolves with {@link path}. */
  make(): Promise<string>
  /** The content of a file; `undefined` when there is no such file. */
  read(file: string): Promise<Buffer | undefined>
  /** Replaces a file as a whole: a reader, or a crash, finds the old content or the new one. */
  write(file: string, content: string | Uint8Array): Promise<void>
  /** Removes a file; one that does not exist is no error. */
  remove(file: string): Promise<void>
  /**
   * Takes a lock that other processes with this folder respect: a file of that name. `undefined` while another one has it; one
   * that is older than `ms` milliseconds was left by a crash. The returned function releases it, and rejects with nothing.
   */
  lock(file: string, ms: number): Promise<(() => Promise<void>) | undefined>
}
