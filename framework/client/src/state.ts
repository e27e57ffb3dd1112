import type { EventEmitter } from 'node:events'
import type { ResolvedClient } from '@rystra/config'
import type { Kernel } from '@rystra/kernel'
import type { Logger } from '@rystra/model'
import type { Clock, RefusedContext } from '@rystra/plugin'
import type { ClientEvents, RefusedHere } from './events.js'
import type { StreamHandler } from './handlers.js'

/** What the parts of one client share. */
export interface ClientState {
  /** Another after a reload. */
  config: ResolvedClient
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Logger
  readonly events: EventEmitter<ClientEvents>
  /** Tells hooks and listeners. */
  readonly refused: (refused: RefusedHere, more: Omit<RefusedContext, 'what' | 'side' | 'error'>) => void
  /** For a stream that this client opens, unique within it: the server's have no such letter in front. */
  readonly nextStreamId: () => string
  /** Services within this process, by what stands in `local`. */
  readonly handlers: Map<string, StreamHandler>
}
