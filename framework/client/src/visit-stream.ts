import { type Pump, rawOf } from '@rystra/bytes'
import { type Logger, RystraError, type StreamInfo, toRystraError, type VisitorInfo } from '@rystra/model'
import type { Details } from '@rystra/plugin'
import { encode } from '@rystra/protocol'
import { type CountedFlow, HeadReader, refusedBy, StreamRun } from '@rystra/session'
import type { Duplex } from 'node:stream'
import type { ClientSession } from './client-session.js'
import type { ClientState } from './state.js'

/** Milliseconds the other client has to reach its service, and some. */
const READY_TIMEOUT = 30_000

/** The datagrams beside a visit, by the number that the server knows them by. */
export interface VisitFlow {
  readonly id: number
  readonly datagrams: CountedFlow
}

/** One visit to a proxy of another client. */
export interface VisitOptions {
  /** Of the entry in `client.visitors`. */
  readonly name: string
  readonly kind: string
  /** The name under which the proxy accepts visits. */
  readonly of: string
  readonly from: VisitorInfo
  readonly details?: Details | undefined
  /** Opens the flow of datagrams beside the stream. Asked once, unless something in the path has to see every byte. */
  readonly flow?: (() => VisitFlow | undefined) | undefined
  readonly log: Logger
  /** Called once, when the service is reached. `flow`: there are datagrams beside the stream. */
  readonly reached?: (stream: StreamInfo, flow: boolean) => void
  /** Called once, when it will not be, or when the stream was over before. */
  readonly failed?: (error: RystraError) => void
}

/** Opens a stream to the server for a visitor, and relays until both are done. A visitor who is refused is reset. */
export const relayVisit = (
  visitor: Duplex,
  visit: VisitOptions,
  session: ClientSession | undefined,
  state: ClientState
): void => {
  const { name, of, from, log } = visit
  const { kernel, clock, events } = state
  const who = `${from.host}:${from.port}`
  const raw = rawOf(visitor)
  const info = session === undefined ? undefined : infoOf(visit, session)
  let told = false
  const refused = (error: RystraError): void => {
    if (told) return
    told = true
    log.warn({ err: error, of }, 'a visit was refused')
    state.refused(
      { what: 'stream', name, error },
      { who, ...(info === undefined ? {} : { session: info.session, stream: info }) }
    )
    visit.failed?.(error)
  }
  if (session === undefined || info === undefined) {
    raw.reset()
    refused(new RystraError('session.lost', { side: 'client', detail: 'there is no session now' }))
    return
  }
  let flow: VisitFlow | undefined
  const run = new StreamRun(info, kernel.current, clock, (context) => {
    flow?.datagrams.close()
    events.emit('streamClose', context)
  })
  events.emit('streamOpen', info)
  const refuse = (cause: unknown): void => {
    const error = toRystraError(cause, 'stream.reset')
    raw.reset()
    run.refuse(error)
    refused(error)
  }
  const open = async (): Promise<void> => {
    // Before a stream is opened: what cannot be said needs none.
    if (!run.shaped) flow = visit.flow?.()
    if (flow !== undefined) run.beside(flow.datagrams, 'toService')
    const head = headOf(visit, flow?.id)
    const data = rawOf(await session.openStream())
    let pumping: Pump | undefined
    const fail = (cause: Error): void => {
      const error = toRystraError(cause)
      refused(error)
      if (pumping === undefined) data.reset()
      else pumping.reset(error)
    }
    const cancel = clock.after(READY_TIMEOUT, () => fail(new RystraError('stream.timeout', { side: 'server' })))
    const done = (error: RystraError | undefined): void => {
      cancel()
      // Who gives up before there was an answer is not refused.
      if (told) return
      told = true
      visit.failed?.(error ?? new RystraError('stream.reset', { detail: 'it was over before it began' }))
    }
    const ready = (flows: boolean): void => {
      cancel()
      if (told) return
      told = true
      visit.reached?.(info, flows)
    }
    pumping = run.relay(raw, data, done, {
      headToService: head,
      headOfService: (reader) => new HeadReader(reader, { onReady: ready, onRefused: fail })
    })
  }
  const go = (): void => void open().catch(refuse)
  const admitted = run.admit()
  if (admitted === undefined) go()
  else admitted.then((denied) => (denied === undefined ? go() : refuse(refusedBy(denied, 'client'))), refuse)
}

const headOf = ({ kind, of, from, details }: VisitOptions, flow: number | undefined): Buffer =>
  Buffer.from(
    encode({
      type: 'Visit',
      kind,
      of,
      visitor: [from.host, from.port],
      to: [from.to.host, from.to.port],
      ...(flow === undefined ? {} : { flow }),
      ...(details === undefined ? {} : { details })
    })
  )

const infoOf = ({ of, kind, from }: VisitOptions, session: ClientSession): StreamInfo => ({
  id: session.nextVisitId(),
  proxy: { name: of, kind },
  visitor: from,
  session: session.info,
  side: 'client'
})
