import type { EventEmitter } from 'node:events'
import { eventError, listenerThrew } from '@rystra/control'
import type { Logger } from '@rystra/model'
import type { RefusedContext } from '@rystra/plugin'
import type { ClientEvents, PublishedHere } from './events.js'
import type { ClientRuntime } from './runtime.js'

const published = ({ name, spec, address, session }: PublishedHere) => ({ id: name, spec, address, session })

type Recorders = {
  readonly [Name in keyof ClientEvents]?: (runtime: ClientRuntime, ...args: ClientEvents[Name]) => void
}

/** Refusals other than those of forwards are recorded where more is known of them. */
const record: Recorders = {
  connected: (runtime, session) => {
    runtime.sessionsOpened += 1
    runtime.events.emit('session.opened', { session })
  },
  disconnected: ({ events }, session, error) =>
    events.emit('session.closed', error === undefined ? { session } : { session, error: eventError(error) }),
  published: (runtime, proxy) => {
    const type = proxy.changed === true ? 'proxy.changed' : 'proxy.published'
    runtime.events.emit(type, published(proxy))
  },
  unpublished: (runtime, proxy, error) => {
    const gone = published(proxy)
    runtime.events.emit('proxy.gone', error === undefined ? gone : { ...gone, error: eventError(error) })
  },
  refused: ({ events }, { what, name, error }) => {
    if (what === 'forward') events.refused({ what, subject: name, error: eventError(error) })
  },
  streamOpen: ({ events }, stream) => events.stream('stream.opened', stream),
  streamClose: ({ events }, stream) => events.stream('stream.closed', stream)
}

/** What happens on a client: recorded for readers of `Runtime.events`, then told to the listeners of the client. */
export class ClientFeed {
  readonly #emitter: EventEmitter<ClientEvents>
  readonly #runtime: ClientRuntime
  readonly #log: Logger

  constructor(emitter: EventEmitter<ClientEvents>, runtime: ClientRuntime, log: Logger) {
    this.#emitter = emitter
    this.#runtime = runtime
    this.#log = log
  }

  /** Something was refused, with more than the listeners of the client are told. */
  refused({ what, error, subject, session, proxy, stream }: Omit<RefusedContext, 'side'>): void {
    this.#runtime.countRefusal(what, error, session)
    const of = proxy ?? stream?.proxy
    this.#runtime.events.refused({
      what,
      subject,
      error: eventError(error),
      ...(session === undefined ? {} : { session }),
      ...(of === undefined ? {} : { proxy: of })
    })
  }

  /** A listener that throws is logged: it must not end what it was told of half-way. */
  emit<Name extends keyof ClientEvents>(name: Name, ...args: ClientEvents[Name]): void {
    const recorder = record[name] as ((runtime: ClientRuntime, ...args: ClientEvents[Name]) => void) | undefined
    recorder?.(this.#runtime, ...args)
    try {
      this.#emitter.emit(name, ...(args as never))
    } catch (err) {
      listenerThrew(this.#log, err, name, 'a listener failed')
    }
  }
}
