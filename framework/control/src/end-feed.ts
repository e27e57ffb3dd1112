import type { Logger, RystraError, SessionInfo, StreamInfo } from '@rystra/model'
import type { EventEmitter } from 'node:events'
import type { CloseStreamContext } from '@rystra/plugin'
import { eventError, type EventLog } from './event-log.js'
import { listenerThrew } from './listener-threw.js'

/** Where events of an end are recorded. */
export interface EventRecord {
  readonly events: EventLog
  sessionsOpened: number
}

type EventMap<Events> = Record<keyof Events, unknown[]>

/** How events of an end are recorded, by their names. */
export type Recorders<Events extends EventMap<Events>, Runtime extends EventRecord> = {
  readonly [Name in keyof Events]?: (runtime: Runtime, ...args: Events[Name]) => void
}

/** Those of both ends. */
export const sessionRecorders = {
  connected: (runtime: EventRecord, session: SessionInfo): void => {
    runtime.sessionsOpened += 1
    runtime.events.emit('session.opened', { session })
  },
  disconnected: ({ events }: EventRecord, session: SessionInfo, error?: RystraError): void =>
    events.emit('session.closed', error === undefined ? { session } : { session, error: eventError(error) }),
  streamOpen: ({ events }: EventRecord, stream: StreamInfo): void => events.stream('stream.opened', stream),
  streamClose: ({ events }: EventRecord, stream: CloseStreamContext): void => events.stream('stream.closed', stream)
}

/** What happens at an end: recorded for readers of `Runtime.events`, then told to the listeners of the end. */
export abstract class EndFeed<Events extends EventMap<Events>, Runtime extends EventRecord> {
  readonly #emitter: EventEmitter<Events>
  readonly #log: Logger
  protected readonly runtime: Runtime
  protected abstract readonly recorders: Recorders<Events, Runtime>

  constructor(emitter: EventEmitter<Events>, runtime: Runtime, log: Logger) {
    this.#emitter = emitter
    this.runtime = runtime
    this.#log = log
  }

  /** A listener that throws is logged: it must not end what it was told of half-way. */
  emit<Name extends keyof Events>(name: Name, ...args: Events[Name]): void {
    this.recorders[name]?.(this.runtime, ...args)
    try {
      this.#emitter.emit(name as never, ...(args as never))
    } catch (err) {
      listenerThrew(this.#log, err, name as string, 'a listener failed')
    }
  }
}
