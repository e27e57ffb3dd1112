import type { RystraConfig } from '@rystra/config'
import type { Address } from '@rystra/model'
import type { LogLevel } from '@rystra/plugin'

/** Where the configuration of an end comes from. */
export interface ConfigSource {
  /** Reads it as it is now. Rejects with `config.*` or `file.failed`. */
  read(): Promise<RystraConfig>
}

/** How a {@link Successor} starts. */
export interface SuccessorOptions {
  /** Milliseconds until it must be ready. */
  readonly timeout: number
  /** Addresses whose port the system chose. */
  readonly chosen: readonly Address[]
}

/** A process that is ready to take over. */
export interface ReadySuccessor {
  readonly pid: number
  /** Listening sockets that it has. */
  readonly sockets: number
  /** Resolves when it accepts connections. Rejects with `control.upgrade-failed`; nothing of it is left then. */
  take(): Promise<void>
  /**
   * Clients do not come here any more. Until it is called visitors of every host wait there.
   *
   * @param published Hosts, routes and names of this process: what it waits for when their visitors come
   */
  left(published: readonly string[]): void
}

/** Starts the process that takes over from this one. */
export interface Successor {
  /** Resolves when it is ready. Rejects with `control.upgrade-failed`; nothing of it is left then. */
  start(options: SuccessorOptions): Promise<ReadySuccessor>
}

/** What the program that embeds an end gives its control. */
export interface ControlOptions {
  /** Read by a reload, or a plan, that is given no configuration. @default such a reload is refused */
  readonly source?: ConfigSource
  /** Read and written by `control.logLevel`. A `log.level` that a reload changes is written to it too. @default none */
  readonly logLevel?: { level: LogLevel }
  /** Needed for `control.upgrade`. @default such a call is refused */
  readonly successor?: Successor
  /** Stops the program after a drain that is to stop it. @default only the end is stopped */
  readonly onStop?: () => void
}
