import type { EventEmitter } from 'node:events'
import { type EventLog, eventError, listenerThrew } from '@rystra/control'
import type { Logger, SessionInfo } from '@rystra/model'
import type { ListenerInfo } from '@rystra/plugin'
import type { PublishedProxy, ServerEvents } from './events.js'
import type { OpenListener } from './open-listener.js'

/** Names a proxy over all sessions of a server. */
export const proxyId = ({ id }: SessionInfo, name: string): string => `${id}.${name}`

const published = ({ spec, address, session }: PublishedProxy) => ({
  id: proxyId(session, spec.name),
  spec,
  address,
  session
})

/** Where events of a server are recorded. */
interface EventRecord {
  readonly events: EventLog
  sessionsOpened: number
}

type Recorders = {
  readonly [Name in keyof ServerEvents]?: (runtime: EventRecord, ...args: ServerEvents[Name]) => void
}

const record: Recorders = {
  connected: (runtime, session) => {
    runtime.sessionsOpened += 1
    runtime.events.emit('session.opened', { session })
  },
  disconnected: ({ events: log }, session, error) =>
    log.emit('session.closed', error === undefined ? { session } : { session, error: eventError(error) }),
  published: ({ events: log }, proxy) =>
    log.emit(proxy.changed === true ? 'proxy.changed' : 'proxy.published', published(proxy)),
  unpublished: ({ events: log }, proxy, reason) => log.emit('proxy.gone', { ...published(proxy), reason }),
  refused: ({ events: log }, { what, subject, error, session, proxy, stream }) =>
    log.refused({
      what,
      subject,
      error: eventError(error),
      ...(session === undefined ? {} : { session }),
      ...(proxy === undefined && stream === undefined ? {} : { proxy: proxy ?? stream?.proxy })
    }),
  streamOpen: ({ events: log }, stream) => log.stream('stream.opened', stream),
  streamClose: ({ events: log }, stream) => log.stream('stream.closed', stream)
}

/** What happens on a server: recorded for readers of `Runtime.events`, then told to the listeners of the server. */
export class ServerFeed {
  readonly #emitter: EventEmitter<ServerEvents>
  readonly #runtime: EventRecord
  readonly #log: Logger

  constructor(emitter: EventEmitter<ServerEvents>, runtime: EventRecord, log: Logger) {
    this.#emitter = emitter
    this.#runtime = runtime
    this.#log = log
  }

  listenerOpened({ info, listening }: OpenListener): void {
    this.#runtime.events.emit('listener.opened', { listener: info })
    this.emit('listening', listening)
  }

  listenerClosed(listener: ListenerInfo): void {
    this.#runtime.events.emit('listener.closed', { listener })
  }

  /** A listener that throws is logged: it must not end what it was told of half-way. */
  emit<Name extends keyof ServerEvents>(name: Name, ...args: ServerEvents[Name]): void {
    const recorder = record[name] as ((runtime: EventRecord, ...args: ServerEvents[Name]) => void) | undefined
    recorder?.(this.#runtime, ...args)
    try {
      this.#emitter.emit(name, ...(args as never))
    } catch (err) {
      listenerThrew(this.#log, err, name, 'a listener failed')
    }
  }
}
