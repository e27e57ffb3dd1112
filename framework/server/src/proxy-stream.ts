import type { Logger, StreamInfo, VisitorInfo } from '@rystra/model'
import type { Details } from '@rystra/plugin'
import { StreamLifecycle, type StreamTable } from '@rystra/session'
import type { Failures } from './failures.js'
import { watchIdle } from './idle.js'
import type { ProxyStreamOptions } from './visitable.js'
import type { ServerState } from './state.js'

/** The proxy of a stream. */
export interface StreamProxy {
  readonly log: Logger
  readonly failures: Failures
  /** Milliseconds without a byte after which a stream is reset, if any. */
  readonly idleTimeout: number | undefined
  /** Where streams of visitors are listed. */
  readonly tables: readonly StreamTable[]
  infoOf(visitor: VisitorInfo, details?: Details): StreamInfo
}

/** A stream of a proxy that is not open yet. One that carries many visitors is counted, but not listed. */
export const proxyStream = (
  proxy: StreamProxy,
  state: ServerState,
  visitor: VisitorInfo,
  { details, carrier = false }: ProxyStreamOptions
): StreamLifecycle => {
  const { clock, events, kernel, refused } = state
  const { tables, failures, idleTimeout } = proxy
  const info = proxy.infoOf(visitor, details)
  let cancelIdle: (() => void) | undefined
  const stream = new StreamLifecycle(info, 'toService', {
    generation: kernel.current,
    clock,
    tables: carrier ? [] : tables,
    hooked: !carrier,
    ready: () => failures.count(),
    refused: (error) => {
      failures.count(error)
      if (carrier) for (const table of tables) table.refuse(error.code)
      proxy.log.info({ visitor: visitor.host, err: error }, 'a stream was refused')
      refused({
        what: 'stream',
        error,
        subject: `${visitor.host}:${visitor.port}`,
        session: info.session,
        stream: info
      })
    },
    closed: (context) => {
      cancelIdle?.()
      if (carrier) for (const table of tables) table.carry(-1)
      else events.emit('streamClose', context)
    }
  })
  if (carrier) {
    for (const table of tables) table.carry(1)
    return stream
  }
  events.emit('streamOpen', info)
  if (idleTimeout !== undefined) cancelIdle = watchIdle(stream, idleTimeout, clock)
  return stream
}
