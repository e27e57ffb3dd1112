import { duplexOf, type Pump, type RawStream, rawOf } from '@rystra/bytes'
import { RystraError, type StreamInfo, toRystraError, type VisitorInfo } from '@rystra/model'
import type { CloseStreamContext, Details } from '@rystra/plugin'
import { encode, errorFrom } from '@rystra/protocol'
import { HeadReader, readMessage, refusedBy, StreamRun } from '@rystra/session'
import type { Duplex } from 'node:stream'
import { watchIdle } from './idle.js'
import type { ServerProxy } from './proxy.js'
import type { ServerState } from './state.js'

/** Milliseconds a client has to reach the service: three tries of a service that does not answer, and some. */
const READY_TIMEOUT = 30_000

/** How a visitor is relayed. */
export interface RelayOptions {
  /** Told to the client half. */
  readonly details?: Details
  /** See `OpenStreamOptions.carrier`. */
  readonly carrier?: boolean
  /** Opens the flow of datagrams beside the stream. Asked once, unless something in the path has to see every byte. */
  readonly flow?: (run: StreamRun) => Beside | undefined
  /**
   * Called once, when the service is reached or is not. Before the first byte of the service is passed on. `bound`:
   * hooks had a say about this visitor. `flow`: there are datagrams beside the stream.
   */
  readonly reached?: (error: RystraError | undefined, stream: StreamInfo, bound: boolean, flow: boolean) => void
  /** Milliseconds to wait for the service. @default 30000 */
  readonly patience?: number
  /** What is done with a visitor who is refused. @default a reset */
  readonly refused?: (error: RystraError) => void
}

/** The datagrams beside a stream, by the number that the client knows them by. */
export interface Beside {
  readonly id: number
  /** The stream is over. */
  readonly close: () => void
}

/** Opens a stream for a visitor and relays it until both are done. */
export const relayVisitor = (
  visitor: Duplex,
  to: VisitorInfo,
  proxy: ServerProxy,
  state: ServerState,
  options: RelayOptions = {}
): void => {
  const raw = rawOf(visitor)
  const session = proxy.owner
  const { details, carrier = false } = options
  const info: StreamInfo = {
    id: session.nextStreamId(),
    proxy: proxy.spec,
    visitor: to,
    session: session.info,
    side: 'server',
    ...(details === undefined ? {} : { details })
  }
  let beside: Beside | undefined
  const over = (context: CloseStreamContext): void => {
    beside?.close()
    if (carrier) return
    proxy.streams -= 1
    state.events.emit('streamClose', context)
  }
  const run = new StreamRun(info, state.kernel.current, state.clock, over, !carrier)
  const full = !carrier && proxy.full
  if (!carrier) {
    proxy.streams += 1
    state.events.emit('streamOpen', info)
  }
  let admitted: ReturnType<StreamRun['admit']>
  const refuse = (cause: unknown): void => {
    const error = toRystraError(cause, 'stream.reset')
    proxy.opened(error)
    if (options.refused === undefined) raw.reset()
    else options.refused(error)
    run.refuse(error)
    session.log.info({ proxy: info.proxy.name, visitor: to.host, err: error }, 'a stream was refused')
    state.refused({ what: 'stream', error, who: `${to.host}:${to.port}`, session: session.info, stream: info })
    options.reached?.(error, info, admitted !== undefined, false)
  }
  const go = (): void => {
    if (full) {
      refuse(new RystraError('stream.limit', { side: 'server', detail: `proxy ${proxy.spec.name}` }))
      return
    }
    if (session.link.streams + session.opening >= state.config.limits.streamsPerSession) {
      refuse(new RystraError('stream.limit', { side: 'server', detail: `client ${session.info.client.id}` }))
      return
    }
    let head: Buffer
    try {
      const pacer = carrier ? undefined : proxy.newPacer()
      if (pacer !== undefined) run.pace(pacer)
      if (!run.shaped) beside = options.flow?.(run)
      head = headOf(info, beside?.id)
    } catch (error) {
      refuse(error)
      return
    }
    session.opening += 1
    session.link.open().then(
      (stream) => {
        session.opening -= 1
        try {
          join(visitor, raw, stream, head, run, proxy, state, options, admitted !== undefined)
        } catch (error) {
          rawOf(stream).reset()
          refuse(error)
        }
      },
      (error: unknown) => {
        session.opening -= 1
        refuse(error)
      }
    )
  }
  // Those who wait for slow hooks are bounded as well.
  if (session.asking >= state.config.limits.streamsPerSession) {
    refuse(new RystraError('stream.limit', { side: 'server', detail: `client ${session.info.client.id}` }))
    return
  }
  admitted = run.admit()
  if (admitted === undefined) {
    go()
    return
  }
  session.asking += 1
  const answered = (): void => {
    session.asking -= 1
  }
  admitted.then(answered, answered)
  admitted.then((denied) => (denied === undefined ? go() : refuse(refusedBy(denied, 'server'))), refuse)
}

const headOf = ({ id, proxy, visitor: { host, port, to }, details }: StreamInfo, flow?: number): Buffer =>
  Buffer.from(
    encode({
      type: 'OpenStream',
      id,
      proxy: proxy.name,
      visitor: [host, port],
      to: [to.host, to.port],
      ...(flow === undefined ? {} : { flow }),
      ...(details === undefined ? {} : { details })
    })
  )

const join = (
  visitor: Duplex,
  raw: RawStream,
  stream: Duplex,
  head: Buffer,
  run: StreamRun,
  proxy: ServerProxy,
  state: ServerState,
  options: RelayOptions,
  bound: boolean
): void => {
  const data = rawOf(stream)
  const { visitor: who } = run.info
  let gone = false
  let told = false
  let given = false
  const tell = (error: RystraError | undefined, flow: boolean): void => {
    if (told) return
    told = true
    options.reached?.(error, run.info, bound, flow)
  }

  const cancel = state.clock.after(options.patience ?? READY_TIMEOUT, () =>
    refused(new RystraError('stream.timeout', { side: 'client' }))
  )
  const ready = (flow: boolean): void => {
    cancel()
    proxy.opened()
    tell(undefined, flow)
  }
  let fail: (error: RystraError) => void = (error) => {
    data.reset()
    if (options.refused === undefined) raw.reset()
    else options.refused(error)
    run.close('refused', 0, 0, error)
  }
  const done = (error?: RystraError): void => {
    cancel()
    if (error !== undefined) tell(error, false)
  }
  const pumped = (pumping: Pump): void => {
    fail = pumping.reset
    if (proxy.idleTimeout === undefined || options.carrier) return
    const besides = (): number => run.besides('toService') + run.besides('toVisitor')
    watchIdle(pumping, besides, proxy.idleTimeout, visitor, state.clock)
  }

  // Who has to be told of a refusal in so many words is not relayed before there is none. It was read from already, so
  // that no relay of an extension can have it.
  const waits = options.refused !== undefined
  // Of one of an extension nobody knows whether it is idle.
  const ours = waits || (proxy.idleTimeout !== undefined && !options.carrier)
  const relay = ours ? undefined : run.relayFor(visitor, stream)
  if (relay === undefined && !waits) {
    pumped(
      run.relay(raw, data, done, {
        headToService: head,
        headOfService: (reader) => new HeadReader(reader, { onReady: ready, onRefused: refused })
      })
    )
    return
  }
  data.write(head, 0, head.length, false)
  if (waits) {
    // Nobody reads from it yet: the client must not go on for one who gave up.
    raw.onClose = (cause) => {
      const error = toRystraError(cause ?? new RystraError('stream.reset'), 'stream.reset')
      gone = true
      data.reset()
      run.close('reset', 0, 0, error)
      done(error)
    }
    if (raw.closed) raw.onClose()
  }
  readMessage(data, {
    onMessage: (message) => {
      if (gone) return
      if (message.type === 'Error') return refused(errorFrom(message, 'client'))
      if (message.type !== 'StreamReady') return refused(new RystraError('stream.reset', { side: 'client' }))
      ready(message.flow === true)
      if (relay === undefined) pumped(run.relay(raw, data, done))
      else run.relayBy(relay, visitor, duplexOf(data), new AbortController().signal).then(done, done)
    },
    onError: refused
  })

  function refused(cause: Error): void {
    // Its stream ends with it: that is no second refusal.
    if (given) return
    given = true
    if (gone) return
    const error = toRystraError(cause)
    proxy.opened(error)
    fail(error)
    done(error)
    state.log.info({ proxy: run.info.proxy.name, visitor: who.host, err: error }, 'a stream was refused')
    const { info: stream } = run
    state.refused({ what: 'stream', error, who: `${who.host}:${who.port}`, session: stream.session, stream })
  }
}
