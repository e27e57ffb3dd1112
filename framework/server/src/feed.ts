import { EndFeed, eventError, type EventRecord, type Recorders, sessionRecorders } from '@rystra/control'
import type { SessionInfo } from '@rystra/model'
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

const recorders: Recorders<ServerEvents, EventRecord> = {
  ...sessionRecorders,
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
    })
}

/** What happens on a server: recorded for readers of `Runtime.events`, then told to the listeners of the server. */
export class ServerFeed extends EndFeed<ServerEvents, EventRecord> {
  protected readonly recorders = recorders

  listenerOpened({ info, listening }: OpenListener): void {
    this.runtime.events.emit('listener.opened', { listener: info })
    this.emit('listening', listening)
  }

  listenerClosed(listener: ListenerInfo): void {
    this.runtime.events.emit('listener.closed', { listener })
  }
}
