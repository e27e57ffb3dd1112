import type { RystraConfig } from '@rystra/config'
import type { LogLevel } from '@rystra/plugin'

/** Where the configuration of an end comes from. */
export interface ConfigSource {
  /** Reads it as it is now. Rejects with `config.*` or `file.failed`. */
  read(): Promise<RystraConfig>
}

/** What the program that embeds an end gives its control. */
export interface ControlOptions {
  /** Read by a reload, or a plan, that is given no configuration. @default such a reload is refused */
  readonly source?: ConfigSource
  /** Read and written by `control.logLevel`. A `log.level` that a reload changes is written to it too. @default none */
  readonly logLevel?: { level: LogLevel }
  /** Stops the program after a drain that is to stop it. @default only the end is stopped */
  readonly onStop?: () => void
}
