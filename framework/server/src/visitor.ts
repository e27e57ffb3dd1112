import { duplexOf, type RawStream, rawOf } from '@rystra/bytes'
import { type ProxySpec, RystraError, type StreamInfo, toRystraError, type VisitorInfo } from '@rystra/model'
import { encode } from '@rystra/protocol'
import { HeadReader, readMessage, refusedBy, StreamRun } from '@rystra/session'
import type { Duplex } from 'node:stream'
import type { ServerSession } from './server-session.js'
import type { ServerState } from './state.js'

/** Milliseconds a client has to reach the service: three tries of a service that does not answer, and some. */
const READY_TIMEOUT = 30_000

/** Called once, when the service is reached or is not. */
type Reached = (error?: RystraError) => void

/** Opens a stream for a visitor and relays it until both are done. */
export const relayVisitor = (
  visitor: Duplex,
  to: VisitorInfo,
  proxy: ProxySpec,
  session: ServerSession,
  state: ServerState,
  reached?: Reached
): void => {
  const raw = rawOf(visitor)
  const info: StreamInfo = {
    id: session.nextStreamId(),
    proxy,
    visitor: to,
    session: session.info,
    side: 'server'
  }
  const run = new StreamRun(info, state.kernel.current, state.clock, (context) =>
    state.events.emit('streamClose', context)
  )
  state.events.emit('streamOpen', info)
  const refuse = (cause: unknown): void => {
    const error = toRystraError(cause, 'stream.reset')
    raw.reset()
    run.refuse(error)
    session.log.info({ proxy: proxy.name, visitor: to.host, err: error }, 'a stream was refused')
    state.events.emit('refused', { what: 'stream', error, who: `${to.host}:${to.port}`, session: session.info })
    reached?.(error)
  }
  const go = (): void => {
    if (session.link.streams + session.opening >= state.config.limits.streamsPerSession) {
      refuse(new RystraError('stream.limit', { side: 'server', detail: `client ${session.info.client.id}` }))
      return
    }
    let head: Buffer
    try {
      head = headOf(info)
    } catch (error) {
      refuse(error)
      return
    }
    session.opening += 1
    session.link.open().then(
      (stream) => {
        session.opening -= 1
        try {
          join(visitor, raw, stream, head, run, state, reached)
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
  const admitted = run.admit()
  if (admitted === undefined) go()
  else admitted.then((denied) => (denied === undefined ? go() : refuse(refusedBy(denied, 'server'))), refuse)
}

const headOf = ({ id, proxy, visitor: { host, port, to } }: StreamInfo): Buffer =>
  Buffer.from(encode({ type: 'OpenStream', id, proxy: proxy.name, visitor: [host, port], to: [to.host, to.port] }))

const join = (
  visitor: Duplex,
  raw: RawStream,
  stream: Duplex,
  head: Buffer,
  run: StreamRun,
  state: ServerState,
  reached: Reached | undefined
): void => {
  const data = rawOf(stream)
  const { visitor: who } = run.info

  const cancel = state.clock.after(READY_TIMEOUT, () => refused(new RystraError('stream.timeout', { side: 'client' })))
  const ready = (): void => {
    cancel()
    reached?.()
  }
  let fail: (error: Error) => void = (error) => {
    data.reset()
    raw.reset()
    run.close('refused', 0, 0, toRystraError(error))
  }
  const done = (error?: RystraError): void => {
    cancel()
    if (error !== undefined) reached?.(error)
  }

  const relay = run.relayFor(visitor, stream)
  if (relay === undefined) {
    const pumping = run.relay(raw, data, done, {
      headToService: head,
      headOfService: (reader) => new HeadReader(reader, { onReady: ready, onRefused: refused })
    })
    fail = pumping.reset
    return
  }
  data.write(head, 0, head.length, false)
  readMessage(data, {
    onMessage: (message) => {
      if (message.type !== 'StreamReady') return refused(new RystraError('stream.reset', { side: 'client' }))
      ready()
      run.relayBy(relay, visitor, duplexOf(data), new AbortController().signal).then(done, done)
    },
    onError: refused
  })

  function refused(cause: Error): void {
    const error = toRystraError(cause)
    fail(error)
    done(error)
    state.log.info({ proxy: run.info.proxy.name, visitor: who.host, err: error }, 'a stream was refused')
    state.events.emit('refused', {
      what: 'stream',
      error,
      who: `${who.host}:${who.port}`,
      session: run.info.session
    })
  }
}
