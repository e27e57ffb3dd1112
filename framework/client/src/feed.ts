import { EndFeed, eventError, type Recorders, sessionRecorders } from '@rystra/control'
import type { RefusedContext } from '@rystra/plugin'
import type { ClientEvents, PublishedHere } from './events.js'
import type { ClientRuntime } from './runtime.js'

const published = ({ name, spec, address, session }: PublishedHere) => ({ id: name, spec, address, session })

/** Refusals other than those of forwards are recorded where more is known of them. */
const recorders: Recorders<ClientEvents, ClientRuntime> = {
  ...sessionRecorders,
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
  }
}

/** What happens on a client: recorded for readers of `Runtime.events`, then told to the listeners of the client. */
export class ClientFeed extends EndFeed<ClientEvents, ClientRuntime> {
  protected readonly recorders = recorders

  /** Something was refused, with more than the listeners of the client are told. */
  refused({ what, error, subject, session, proxy, stream }: Omit<RefusedContext, 'side'>): void {
    this.runtime.countRefusal(what, error, session)
    const of = proxy ?? stream?.proxy
    this.runtime.events.refused({
      what,
      subject,
      error: eventError(error),
      ...(session === undefined ? {} : { session }),
      ...(of === undefined ? {} : { proxy: of })
    })
  }
}
