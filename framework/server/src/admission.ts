import {
  type Logger,
  type ProxySpec,
  RystraError,
  type StreamInfo,
  toRystraError,
  type VisitorInfo
} from '@rystra/model'
import type { Admission, Pacer } from '@rystra/plugin'
import { refusedBy, StreamLifecycle, type StreamTable } from '@rystra/session'
import type { ServerState } from './state.js'

/** The proxy that lets it in. */
export interface Admitting {
  readonly spec: ProxySpec
  readonly log: Logger
  readonly tables: readonly StreamTable[]
  infoOf(visitor: VisitorInfo): StreamInfo
  newPacer(): Pacer | undefined
  /** Throws when it was withdrawn. */
  throwIfClosed(): void
}

/**
 * Lets a visitor in that has no stream of its own, see `PublishHost.admit`. To hooks and limits it is a stream.
 *
 * @param full Whether the proxy had reached its limit of streams before
 */
export const admitVisitor = (
  visitor: VisitorInfo,
  proxy: Admitting,
  state: ServerState,
  full: boolean
): Admission | Promise<Admission> => {
  const info: StreamInfo = proxy.infoOf(visitor)
  const stream = new StreamLifecycle(info, 'toService', {
    generation: state.kernel.current,
    clock: state.clock,
    tables: proxy.tables,
    closed: (context) => state.events.emit('streamClose', context)
  })
  state.events.emit('streamOpen', info)

  const refused = (cause: unknown): RystraError => {
    const error = toRystraError(cause, 'stream.reset')
    stream.report('refused', 0, 0, error)
    // Datagrams come faster than connections: lines of the log are left to those who count them.
    proxy.log.debug({ visitor: visitor.host, err: error }, 'a visitor was refused')
    state.refused({
      what: 'stream',
      error,
      subject: `${visitor.host}:${visitor.port}`,
      session: info.session,
      stream: info
    })
    return error
  }
  const admission = (): Admission => {
    try {
      proxy.throwIfClosed()
      if (full) throw new RystraError('stream.limit', { side: 'server', detail: `proxy ${proxy.spec.name}` })
      const pacer = proxy.newPacer()
      if (pacer !== undefined) stream.pace(pacer)
      return {
        info,
        ...stream.byDatagram(),
        attach: (flow) => stream.attachFlow(flow),
        close: (bytesToService, bytesToVisitor, error) => {
          const reason = error === undefined ? 'end' : error.code.startsWith('hook.') ? 'error' : 'reset'
          stream.report(reason, bytesToService, bytesToVisitor, error)
        }
      }
    } catch (error) {
      throw refused(error)
    }
  }

  const pending = stream.admit()
  if (pending === undefined) return admission()
  return pending.then(
    (denied) => {
      if (denied === undefined) return admission()
      throw refused(refusedBy(denied, 'server'))
    },
    (error: unknown) => {
      throw refused(error)
    }
  )
}
