import type { RawStream } from '@rystra/bytes'
import {
  type Logger,
  type ProxySpec,
  RystraError,
  type SessionInfo,
  type StreamInfo,
  toRystraError,
  type VisitorInfo
} from '@rystra/model'
import type { OpenedStream, VisitDetails } from '@rystra/plugin'
import { openDuplex, type OpenOptions, StreamLifecycle } from '@rystra/session'
import type { ClientSession } from './client-session.js'
import type { ClientState } from './state.js'

/** One visit to a proxy of another client. */
export interface Visit {
  readonly spec: ProxySpec
  /** The name under which the proxy accepts visits. */
  readonly of: string
  readonly from: VisitorInfo
  readonly details: VisitDetails | undefined
  readonly log: Logger
}

/** Answers that another server may give otherwise: it has no such proxy, or no room, or is gone. */
const failoverCodes: ReadonlySet<string> = new Set([
  'stream.no-visits',
  'stream.limit',
  'session.lost',
  'session.closing',
  'mux.closed'
])

/** Opens the streams of visits, through any session that is up. */
export class VisitStreams {
  readonly sessions = new Set<ClientSession>()
  readonly #state: ClientState

  constructor(state: ClientState) {
    this.#state = state
  }

  /** Those through which to visit: without the ones that drain, as long as there are others. */
  get living(): readonly ClientSession[] {
    const all = [...this.sessions].filter(({ closed }) => !closed)
    const open = all.filter(({ goingAway }) => !goingAway)
    return open.length > 0 ? open : all
  }

  /** Opens one to be joined with a visitor. */
  open(visit: Visit, visitor: RawStream): Promise<StreamLifecycle> {
    return this.#try(visit, async (stream, open, isLast) => {
      const opening = open({})
      stream.follow(visitor)
      await opening
      // With no other session to try, bytes need not wait for the answer.
      if (!isLast) await stream.readyFor(visitor)
      return stream
    })
  }

  openStream(visit: Visit, { signal, datagrams }: OpenOptions): Promise<OpenedStream> {
    return this.#try(visit, (stream, open) => openDuplex(stream, () => open({ signal, datagrams }), signal))
  }

  /** Through one session after the other, until a server takes it. No byte of the visitor is sent before. */
  async #try<Opened>(
    visit: Visit,
    work: (
      stream: StreamLifecycle,
      open: (options: OpenOptions) => Promise<boolean>,
      isLast: boolean
    ) => Promise<Opened>
  ): Promise<Opened> {
    const sessions = this.living
    if (sessions.length === 0) throw this.#noSession(visit)
    for (const [index, session] of sessions.entries()) {
      const isLast = index === sessions.length - 1
      const stream = this.#streamOn(session, visit, isLast)
      try {
        return await work(stream, (options) => this.#carry(stream, session, visit, options), isLast)
      } catch (error) {
        if (isLast || !failoverCodes.has(toRystraError(error).code)) throw error
      }
    }
    throw this.#noSession(visit)
  }

  #noSession(visit: Visit): RystraError {
    const error = new RystraError('session.lost', { side: 'client', detail: 'there is no session now' })
    this.#refused(visit, error, {})
    return error
  }

  #refused(
    { spec, of, from, log }: Visit,
    error: RystraError,
    more: { session?: SessionInfo; stream?: StreamInfo }
  ): void {
    log.warn({ err: error, of }, 'a visit was refused')
    this.#state.refused({ what: 'stream', name: spec.name, error }, { subject: `${from.host}:${from.port}`, ...more })
  }

  #carry(stream: StreamLifecycle, session: ClientSession, visit: Visit, options: OpenOptions): Promise<boolean> {
    const { id, visitor } = stream.info
    const { details: given, of, spec } = visit
    return stream.open(() => {
      const details = typeof given === 'function' ? given(session.info) : given
      const head = { id, proxy: of, kind: spec.kind, visitor, details }
      return session.open(head, { ...options, datagrams: options.datagrams === true && !stream.filtered })
    })
  }

  /** A refusal is told of unless there is another session to try. */
  #streamOn(session: ClientSession, visit: Visit, isLast: boolean): StreamLifecycle {
    const { clock, events, kernel } = this.#state
    const info: StreamInfo = {
      id: this.#state.nextStreamId(),
      proxy: { name: visit.of, kind: visit.spec.kind },
      visitor: visit.from,
      session: session.info,
      side: 'client'
    }
    const stream = new StreamLifecycle(info, 'toService', {
      generation: kernel.current,
      clock,
      tables: [session.streams],
      refused: (error) => {
        if (isLast || !failoverCodes.has(error.code))
          this.#refused(visit, error, { session: session.info, stream: info })
        else visit.log.debug({ err: error, server: session.info.server }, 'a visit is tried through another server')
      },
      closed: (context) => events.emit('streamClose', context)
    })
    events.emit('streamOpen', info)
    return stream
  }
}
