import type { RawStream } from '@rystra/bytes'
import { type Logger, type ProxySpec, RystraError, type StreamInfo, type VisitorInfo } from '@rystra/model'
import type { Details, Pacer } from '@rystra/plugin'
import { StreamLifecycle, type StreamOwner, type StreamTable } from '@rystra/session'
import type { Failures } from './failures.js'
import { watchIdle } from './idle.js'
import type { ProxyStreamOptions } from './visitable.js'
import type { ServerState } from './state.js'

/** The proxy of a stream. */
export interface StreamProxy {
  readonly spec: ProxySpec
  readonly owner: StreamOwner
  /** Of its session: about so many streams hooks may be asked at a time. */
  readonly streamLimit: number
  readonly log: Logger
  readonly failures: Failures
  /** Milliseconds without a byte after which a stream is reset, if any. */
  readonly idleTimeout: number | undefined
  /** Where streams of visitors are listed. */
  readonly tables: readonly StreamTable[]
  /** What slows one more stream down, together with the others. */
  newPacer(): Pacer | undefined
  infoOf(visitor: VisitorInfo, details?: Details): StreamInfo
}

/** A stream of a proxy that is not open yet. One that carries many visitors is counted, but not listed. */
export const proxyStream = (
  proxy: StreamProxy,
  state: ServerState,
  visitor: VisitorInfo,
  { details, carrier = false, forwarded = false, trace }: ProxyStreamOptions
): StreamLifecycle => {
  const { clock, events, kernel, refused } = state
  const { tables, failures, idleTimeout } = proxy
  const info = proxy.infoOf(visitor, details)
  let cancelIdle: (() => void) | undefined
  const stream = new StreamLifecycle(info, 'toService', {
    generation: kernel.current,
    clock,
    tables: carrier ? [] : tables,
    hooked: !carrier && !forwarded,
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
      else if (!forwarded) events.emit('streamClose', context)
    }
  })
  stream.trace = trace
  if (carrier) {
    for (const table of tables) table.carry(1)
    return stream
  }
  if (!forwarded) events.emit('streamOpen', info)
  if (idleTimeout !== undefined) cancelIdle = watchIdle(stream, idleTimeout, clock)
  return stream
}

/**
 * Opens it joined with the connection of its visitor, if no hook and no limit of its proxy applies. `false`: nothing was
 * done.
 */
export const joinProxyStream = (
  stream: StreamLifecycle,
  proxy: StreamProxy,
  { kernel }: ServerState,
  visitor: RawStream
): boolean => {
  const { owner, spec } = proxy
  if (owner.openJoined === undefined || proxy.newPacer() !== undefined) return false
  if (kernel.current.calls.asksOpenStream(stream.info)) return false
  const { id, visitor: info, details } = stream.info
  return owner.openJoined(stream, { id, proxy: spec.name, visitor: info, details }, visitor)
}

/**
 * Opens it, within the limits of its proxy. Resolves with whether hooks checked it.
 *
 * @param full Whether the proxy had reached its limit of streams before this one
 */
export const openProxyStream = (
  stream: StreamLifecycle,
  proxy: StreamProxy,
  full: boolean,
  { carrier = false, datagrams = false, signal, timeout }: ProxyStreamOptions
): Promise<boolean> => {
  const { id, visitor, details } = stream.info
  const { name } = proxy.spec
  return stream.open(() => {
    if (!carrier) {
      if (full) throw new RystraError('stream.limit', { side: 'server', detail: `proxy ${name}` })
      const pacer = proxy.newPacer()
      if (pacer !== undefined) stream.pace(pacer)
    }
    const head = { id, proxy: name, visitor, details, carrier, trace: stream.trace }
    return proxy.owner.open(head, { datagrams: datagrams && !stream.filtered, signal, timeout })
  }, proxy.streamLimit)
}

/** Opens it, and gives up when the visitor leaves before. */
export const openFollowing = async (
  stream: StreamLifecycle,
  proxy: StreamProxy,
  full: boolean,
  options: ProxyStreamOptions
): Promise<StreamLifecycle> => {
  const opening = openProxyStream(stream, proxy, full, options)
  if (options.follows !== undefined) stream.follow(options.follows)
  await opening
  return stream
}
