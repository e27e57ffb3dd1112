import { RystraError, type StreamInfo, toRystraError, type VisitorInfo } from '@rystra/model'
import type { Admission } from '@rystra/plugin'
import { refusedBy, StreamRun } from '@rystra/session'
import type { ServerProxy } from './proxy.js'
import type { ServerState } from './state.js'

/** Lets a visitor in that has no stream of its own, see `PublishHost.admit`. To hooks and limits it is a stream. */
export const admitVisitor = (
  visitor: VisitorInfo,
  proxy: ServerProxy,
  state: ServerState
): Admission | Promise<Admission> => {
  const { owner } = proxy
  const info: StreamInfo = {
    id: owner.nextStreamId(),
    proxy: proxy.spec,
    visitor,
    session: owner.info,
    side: 'server'
  }
  const run = new StreamRun(info, state.kernel.current, state.clock, (context) => {
    proxy.streams -= 1
    state.events.emit('streamClose', context)
  })
  const full = proxy.full
  proxy.streams += 1
  state.events.emit('streamOpen', info)

  const refused = (cause: unknown): RystraError => {
    const error = toRystraError(cause, 'stream.reset')
    run.refuse(error)
    // Datagrams come faster than connections: lines of the log are left to whoever counts them.
    proxy.log.debug({ visitor: visitor.host, err: error }, 'a visitor was refused')
    state.refused({ what: 'stream', error, who: `${visitor.host}:${visitor.port}`, session: owner.info, stream: info })
    return error
  }
  const admission = (): Admission => {
    try {
      proxy.mustLive()
      if (full) throw new RystraError('stream.limit', { side: 'server', detail: `proxy ${proxy.spec.name}` })
      const pacer = proxy.newPacer()
      if (pacer !== undefined) run.pace(pacer)
      return {
        info,
        ...run.byDatagram(),
        close: (bytesToService, bytesToVisitor, error) => {
          const reason = error === undefined ? 'end' : error.code.startsWith('hook.') ? 'error' : 'reset'
          run.close(reason, bytesToService, bytesToVisitor, error)
        }
      }
    } catch (error) {
      throw refused(error)
    }
  }

  const asked = run.admit()
  if (asked === undefined) return admission()
  return asked.then(
    (denied) => {
      if (denied === undefined) return admission()
      throw refused(refusedBy(denied, 'server'))
    },
    (error: unknown) => {
      throw refused(error)
    }
  )
}
