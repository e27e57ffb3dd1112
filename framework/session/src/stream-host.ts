import type { GenerationRef } from '@rystra/kernel'
import type { RystraError } from '@rystra/model'
import type { Clock, CloseStreamContext } from '@rystra/plugin'
import type { StreamTable } from './stream-table.js'

/** What a stream lives in. */
export interface StreamHost {
  readonly generation: GenerationRef
  readonly clock: Clock
  /** Where it is listed while it runs. */
  readonly tables: readonly StreamTable[]
  /** `false` for a stream that carries many visitors, whose bytes are no visitor's. @default true */
  readonly hooked?: boolean
  /** Called once, when it was not opened, or the other end refused it. */
  refused?(error: RystraError): void
  /** Called once, when the service was reached. */
  ready?(): void
  /** Called once, when it is over, after the hook. */
  closed(context: CloseStreamContext): void
}
