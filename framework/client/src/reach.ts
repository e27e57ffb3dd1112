import { type RawStream, rawOf } from '@rystra/bytes'
import {
  type Logger,
  type ProxySpec,
  RystraError,
  type SessionInfo,
  type StreamInfo,
  toRystraError
} from '@rystra/model'
import type { DatagramFlow, ReachHost } from '@rystra/plugin'
import { errorFrom, type OpenStream } from '@rystra/protocol'
import {
  acceptJoined,
  type Channels,
  type CountedFlow,
  type DatagramFlows,
  readMessage,
  readyFrame,
  refusedBy,
  refuseStream,
  StreamLifecycle,
  type StreamTable,
  visitorIn
} from '@rystra/session'
import type { Duplex } from 'node:stream'
import { connectFor, connectRawFor } from './connect-for.js'
import type { Interest } from './service.js'
import type { ClientState, ServedProxy } from './state.js'

/** Milliseconds for the head of a stream: the server sends it with the first packet. */
const HEAD_TIMEOUT_MS = 10_000

/**
 * Milliseconds StreamReady waits for the first bytes of the service, to leave in one packet with them. Most services
 * answer within one; the delay is only seen by visitors of a service that does not answer.
 */
const READY_WAIT_MS = 2

/** The session that a stream came on. */
export interface ReachSession {
  readonly info: SessionInfo
  readonly streams: StreamTable
  readonly flows: DatagramFlows | undefined
  readonly channels: Channels
}

/** Takes a stream that the server opened, and joins it to its service. */
export const takeStream = (raw: RawStream, session: ReachSession, state: ClientState): void => {
  const cancel = state.clock.after(HEAD_TIMEOUT_MS, () => raw.reset())
  readMessage(raw, {
    onMessage: (message) => {
      cancel()
      if (message.type === 'OpenStream') open(raw, message, session, state)
      else if (message.type === 'OpenChannel') session.channels.accept(raw, message)
      else {
        const error =
          message.type === 'Error'
            ? errorFrom(message, 'server')
            : new RystraError('protocol.unexpected', { side: 'server', detail: message.type })
        state.log.warn({ err: error }, 'a stream did not begin as one')
        raw.reset()
      }
    },
    onError: (error) => {
      cancel()
      state.log.debug({ err: error }, 'a stream ended before it began')
      raw.reset()
    }
  })
}

const open = (
  raw: RawStream,
  { id, proxy, visitor, to, flow, details, trace }: OpenStream,
  session: ReachSession,
  state: ClientState
): void => {
  const served = state.proxies.find(proxy)
  if (served === undefined) {
    refuseStream(raw, new RystraError('stream.unknown-proxy', { side: 'client', detail: proxy }), state.clock)
    return
  }
  let datagrams: CountedFlow | undefined
  try {
    datagrams = flow === undefined ? undefined : session.flows?.accept(flow)
  } catch (error) {
    refuseStream(raw, error, state.clock)
    return
  }
  const { spec } = served
  const info: StreamInfo = {
    id,
    proxy: spec,
    visitor: visitorIn({ visitor, to }),
    session: session.info,
    side: 'client',
    ...(details === undefined ? {} : { details }),
    ...(trace === undefined ? {} : { trace })
  }
  const generation = state.kernel.current
  const lifecycle = new StreamLifecycle(info, 'toVisitor', {
    generation,
    clock: state.clock,
    tables: [session.streams, served.streams],
    closed: (context) => {
      host.over()
      state.events.emit('streamClose', context)
    }
  })
  if (datagrams !== undefined) lifecycle.attachDatagrams(datagrams, 'toVisitor')
  state.events.emit('streamOpen', info)
  let refused = false
  const refuse = (cause: unknown): void => {
    if (refused) return
    refused = true
    const error = toRystraError(cause, 'internal', { side: 'client' })
    state.log.warn({ err: error, proxy }, 'a stream was refused')
    refuseStream(raw, error, state.clock)
    lifecycle.report('refused', 0, 0, error)
    const { host, port } = info.visitor
    state.refused(
      { what: 'stream', name: proxy, error },
      { subject: `${host}:${port}`, session: session.info, stream: info }
    )
  }
  // Before hooks are asked: the stream may be over by the time they answer.
  const host = new Reach(raw, lifecycle, datagrams, served, state)
  const left = (): void => {
    host.over()
    if (refused) return
    refused = true
    lifecycle.report('reset', 0, 0, new RystraError('stream.reset', { side: 'server', detail: 'the visitor has left' }))
  }
  raw.onClose = left
  if (raw.closed) left()
  lifecycle.onGivenUp = (error) => {
    host.over()
    refuse(error)
  }
  const go = (): void => {
    if (refused) return
    const { proxies } = generation.registries
    if (!proxies.has(spec.kind)) {
      refuse(new RystraError('proxy.unknown-kind', { side: 'client', detail: spec.kind }))
      return
    }
    try {
      proxies
        .get(spec.kind)
        .reach(spec, host)
        .catch((error: unknown) => host.failed(error, refuse))
    } catch (error) {
      host.failed(error, refuse)
    }
  }
  const admitted = lifecycle.admit()
  if (admitted === undefined) go()
  else {
    raw.watch?.()
    admitted.then((denied) => (denied === undefined ? go() : refuse(refusedBy(denied, 'client'))), refuse)
  }
}

/** What a kind gets to join one stream to its service with. */
class Reach implements ReachHost, Interest {
  readonly stream: StreamInfo
  readonly log: Logger
  readonly #datagrams: DatagramFlow | undefined
  readonly #served: ServedProxy
  readonly #state: ClientState
  readonly #raw: RawStream
  readonly #stream: StreamLifecycle
  gone = false
  onGone: (() => void) | undefined
  #aborter: AbortController | undefined
  #joined = false

  constructor(
    raw: RawStream,
    stream: StreamLifecycle,
    datagrams: DatagramFlow | undefined,
    served: ServedProxy,
    state: ClientState
  ) {
    this.#raw = raw
    this.#stream = stream
    this.stream = stream.info
    this.log = state.log
    this.#served = served
    this.#state = state
    this.#datagrams = datagrams
  }

  get spec(): ProxySpec {
    return this.#served.spec
  }

  /** The stream is over. */
  over(): void {
    this.gone = true
    this.onGone?.()
    this.#aborter?.abort()
  }

  /** Not where something in the path has to see every byte. */
  get datagrams(): DatagramFlow | undefined {
    return this.#stream.filtered ? undefined : this.#datagrams
  }

  /** Made on first use: few handlers use it, and this runs for each visitor. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController()
    if (this.gone) this.#aborter.abort()
    return this.#aborter.signal
  }

  connect(local: string): Promise<Duplex> {
    return connectFor(local, this.stream, this.#served, this.#state, this)
  }

  connector(local: string): () => Promise<Duplex> {
    // Holds nothing of the visitor's connection.
    const { stream } = this
    const served = this.#served
    const state = this.#state
    return () => connectFor(local, stream, served, state, { gone: false, onGone: undefined })
  }

  relay(service: Duplex): Promise<void> {
    this.#accept()
    return new Promise((resolve) => {
      this.#stream.join(rawOf(service), resolve)
    })
  }

  async relayTo(local: string): Promise<void> {
    const service = await connectRawFor(local, this.stream, this.#served, this.#state, this)
    return new Promise((resolve) => {
      this.#joined = true
      if (acceptJoined(this.#stream, this.#raw, service, readyFrame(), resolve)) return
      this.#accept()
      this.#stream.join(service, resolve)
    })
  }

  accept(): Duplex {
    this.#accept()
    return this.#stream.stream.duplex
  }

  #accept(): void {
    this.#joined = true
    const bytes = readyFrame(this.datagrams !== undefined)
    this.#stream.accept(this.#raw, { bytes, wait: READY_WAIT_MS })
  }

  /** A kind gave up. What is relayed already ends by itself. */
  failed(error: unknown, refuse: (error: unknown) => void): void {
    if (this.#joined) this.#raw.reset()
    else refuse(error)
  }
}
