import type { RawStream } from '@rystra/bytes'
import { isRystraError } from '@rystra/model'
import { EventEmitter } from 'node:events'
import { State, type StateKey } from '../context/state.js'
import { type RpcError, rpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'
import { FrameType } from '../frame/types.js'
import { type CallRecord, type RpcMessage, runSteps } from '../middleware/middleware.js'
import type { Members, Service } from '../service/define.js'
import { type ServiceView, use } from '../service/use.js'
import { type Listener, Router } from '../router/router.js'
import { Connection } from './connection.js'
import { SessionClock } from '../clock/session-clock.js'
import { Incoming } from './incoming.js'
import type { IncomingCall } from './incoming-call.js'
import { type CallSender, OutgoingCalls, type OutgoingCall, type RequestOptions } from './outgoing-calls.js'
import { OutgoingEvents } from './outgoing-events.js'
import type { RpcPeer } from './peer.js'
import type { ChannelOpener, RpcChannel } from './port.js'
import type { Received } from './received.js'
import type { RpcStream, StreamOptions } from './rpc-stream.js'
import type { RpcSettings } from './settings.js'
import { Streams } from './streams.js'

/** What a session tells. */
export interface RpcSessionEvents {
  /** There is a connection; also the first time. */
  up: []
  /** The connection is lost; calls wait for the next one within their deadlines. */
  down: [error: Error | undefined]
  /** The other side takes no new calls. */
  goAway: [error: RpcError]
  /** It is over. */
  close: [error: Error | undefined]
}

/** What a session is made of. */
export interface RpcSessionOptions {
  readonly id: string
  readonly peer: RpcPeer
  readonly settings: RpcSettings
  /** What this end handles; the session may add to it. */
  readonly router: Router
  /** State of the whole program. */
  readonly context: State
  /** Whether another connection may follow one that is lost. */
  readonly reconnects: boolean
  /** For streams: gone while there is no connection. */
  readonly opener: () => ChannelOpener | undefined
  /** A call waits for a connection: there should be one. */
  readonly wanted?: () => void
  /** The client that it is with, when a server is in between. */
  readonly to?: string
}

/** The relation with one other program: requests, events and streams, both ways. */
export class RpcSession {
  readonly id: string
  readonly peer: RpcPeer
  readonly context: State
  readonly router: Router
  readonly #settings: RpcSettings
  readonly #state = new State()
  readonly #emitter = new EventEmitter<RpcSessionEvents>()
  readonly #calls: OutgoingCalls
  readonly #events = new OutgoingEvents()
  readonly #streams: Streams
  readonly #options: RpcSessionOptions
  #clock: SessionClock | undefined
  #clockTimer: NodeJS.Timeout | undefined
  #connection: Connection | undefined
  #incoming: Incoming | undefined
  #closed = false

  constructor(options: RpcSessionOptions) {
    this.id = options.id
    this.peer = options.peer
    this.context = options.context
    this.router = new Router(options.router)
    this.#settings = options.settings
    this.#options = options
    this.#streams = new Streams(this, options.settings)
    const { onCall } = options.settings
    this.#calls = new OutgoingCalls(
      onCall && ((call, code) => this.observe('request', 'out', call.name, call.since, code))
    )
  }

  /** The name an authenticator gave the peer. */
  get identity(): RpcPeer['identity'] {
    return this.peer.identity
  }

  /** Whether there is a connection. */
  get connected(): boolean {
    return this.#connection !== undefined
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Round trip of the last ping, in milliseconds. */
  get rtt(): number | undefined {
    return this.clock.delay
  }

  /** The clock of the other side. Synchronised from the first use on, by pings. */
  get clock(): SessionClock {
    if (this.#clock === undefined) {
      this.#clock = new SessionClock()
      this.#ping(this.#clock)
    }
    return this.#clock
  }

  #ping(clock: SessionClock): void {
    clearTimeout(this.#clockTimer)
    if (this.#closed) return
    const due = clock.dueIn
    if (due <= 0 && this.#connection !== undefined) this.#connection.send.ping(this.#calls.takeId(), clock.ping())
    this.#clockTimer = setTimeout(() => this.#ping(clock), Math.max(1, clock.dueIn))
    this.#clockTimer.unref()
  }

  /** Streams that are open now. */
  get streams(): number {
    return this.#streams.size
  }

  /**
   * Opens a stream of messages. It may be used at once: what is wrong with the opening rejects its first use, with
   * `rpc.unknown`, `rpc.denied`, `rpc.busy`, `rpc.lost` or an error of the handler.
   */
  createStream(name: string, options: StreamOptions = {}): RpcStream {
    const { opener, to, id } = this.#options
    const head = { kind: 'stream', session: id, ...(to === undefined ? {} : { to }) } as const
    return this.#streams.create(this.#calls.takeId(), name, options, this.#closed ? undefined : opener(), head)
  }

  /** A service of the other side, as functions. On a server: `session.use(reverse(Chat))`. */
  use<Of extends Members>(service: Service<Of>): ServiceView<Of> {
    return use(this, service)
  }

  /** @internal The other side opened a stream of this session. */
  acceptStream(channel: RpcChannel): void {
    this.#streams.accept(channel)
  }

  /** Calls of this side that are not answered. */
  get pending(): number {
    return this.#calls.size
  }

  /** What the other side told when the connection began. */
  get peerMetadata(): Metadata {
    return this.#connection?.peer.metadata ?? {}
  }

  get<Value>(key: StateKey<Value>): Value | undefined {
    return this.#state.get(key)
  }

  set<Value>(key: StateKey<Value>, value: Value): this {
    this.#state.set(key, value)
    return this
  }

  /**
   * Asks the other side. Rejects with an {@link RpcError}: one of its handler, or `rpc.unknown`, `rpc.invalid`,
   * `rpc.busy`, `rpc.deadline`, `rpc.cancelled`, `rpc.lost` and others of the framework.
   */
  request(name: string, data?: unknown, options: RequestOptions = {}): Promise<unknown> {
    if (this.#closed) return Promise.reject(rpcError('rpc.lost', 'the session is closed'))
    this.wanted()
    return this.#calls.request(name, data, options)
  }

  /**
   * Tells the other side. Nothing is answered: when it was sent at once, or there is no connection and it is gone. A
   * promise: it waits until listeners there are done with earlier ones. Throws `rpc.busy` when too many wait already.
   */
  emit(name: string, data?: unknown, metadata?: Metadata): Promise<void> | undefined {
    const connection = this.#connection
    if (connection === undefined) return undefined
    const { outbound } = this.#settings
    if (outbound.length === 0) return this.#events.send(connection, this.#calls.takeId(), name, data, metadata)
    const message: RpcMessage = { kind: 'event', id: 0, name, metadata: metadata ?? {}, data, bytes: 0 }
    const passed = runSteps(outbound, message, this)
    const send = (late: RpcMessage | undefined): Promise<void> | undefined =>
      late && this.#events.send(connection, this.#calls.takeId(), late.name, late.data, late.metadata)
    return passed instanceof Promise ? passed.then(send) : send(passed)
  }

  /** Listens to what becomes of the session itself. The answer stops it. */
  on<Name extends keyof RpcSessionEvents>(name: Name, fn: (...args: RpcSessionEvents[Name]) => void): () => void {
    this.#emitter.on(name, fn as never)
    return () => this.#emitter.off(name, fn as never)
  }

  /** Listens to events of this session alone. The answer stops it. */
  listen(name: string, fn: Listener): () => void {
    return this.router.listener({ name, fn })
  }

  /** @internal Takes a stream that carries the frames of this session. */
  attach(stream: RawStream): Connection {
    if (this.#connection !== undefined) this.#connection.fail(rpcError('rpc.lost', 'replaced by another connection'))
    const connection: Connection = new Connection(stream, this.#settings, {
      onRequest: (received) => incoming.request(received),
      onEvent: (received, cost) => incoming.event(received, cost),
      onResponse: (received) => this.#response(received),
      onError: (id, error) => this.#error(id, error),
      onCancel: (id) => incoming.cancel(id),
      waitsFor: (id) => this.#waitsFor(id),
      onCredit: () => this.#credit(connection),
      onGoAway: (error) => {
        this.#calls.pause()
        this.#emitter.emit('goAway', error)
      },
      onPong: (t0, t1, t2) => void this.#clock?.pong({ t0, t1, t2 }),
      onClose: (error) => this.#detach(connection, incoming, error)
    })
    const incoming = new Incoming(this, connection, this.#settings)
    this.#connection = connection
    this.#incoming = incoming
    this.#calls.attach(this.#sender(connection))
    connection.start()
    this.#emitter.emit('up')
    return connection
  }

  #sender(connection: Connection): CallSender {
    const { outbound } = this.#settings
    const send = (call: OutgoingCall, data: unknown, metadata: Metadata | undefined): void => {
      const left = call.until === 0 ? 0 : Math.max(1, Math.round(call.until - performance.now()))
      connection.send.call(FrameType.request, call.id, call.name, left, data, metadata)
    }
    return {
      get maxCalls() {
        return connection.peer.maxCalls
      },
      sendCancel: (id) => {
        if (!connection.closed) connection.send.cancel(id)
      },
      sendRequest: (call) => {
        const { id, name, data, options } = call
        if (outbound.length === 0) return send(call, data, options.metadata)
        const message: RpcMessage = { kind: 'request', id, name, metadata: options.metadata ?? {}, data, bytes: 0 }
        const passed = runSteps(outbound, message, this)
        const go = (late: RpcMessage | undefined): void => {
          if (late !== undefined && call.state === 'sent' && !connection.closed) send(call, late.data, late.metadata)
        }
        if (passed instanceof Promise) passed.then(go).catch((error) => this.#calls.fail(call, error as Error))
        else go(passed)
      }
    }
  }

  #credit(connection: Connection): void {
    if (connection !== this.#connection) return
    this.#events.flush(connection)
    this.#calls.resume()
  }

  #waitsFor(id: number): boolean {
    if (this.#calls.get(id) !== undefined) return true
    if (this.#calls.wasTaken(id)) return false
    throw rpcError('rpc.protocol', `an answer to ${id}, which was never asked`)
  }

  #response(received: Received): void {
    const call = this.#calls.get(received.id)
    if (call === undefined) return
    let data: unknown
    try {
      data = received.decode()
    } catch (error) {
      this.#calls.fail(call, error as Error)
      return
    }
    this.#pass(call, { kind: 'response', data, metadata: received.metadata ?? {}, bytes: received.bytes })
  }

  #error(id: number, error: RpcError): void {
    const call = this.#calls.get(id)
    if (call !== undefined) this.#pass(call, { kind: 'error', data: error.data, error, metadata: {}, bytes: 0 })
  }

  #pass(call: OutgoingCall, answer: Omit<RpcMessage, 'id' | 'name'>): void {
    const settle = (passed: RpcMessage | undefined): void => {
      if (passed?.error !== undefined) this.#calls.fail(call, passed.error)
      else if (passed !== undefined) this.#calls.settle(call, passed.data)
    }
    const { inbound } = this.#settings
    if (inbound.length === 0) {
      settle(answer as RpcMessage)
      return
    }
    const fail = (error: unknown): void => this.#calls.fail(call, error as Error)
    try {
      const passed = runSteps(inbound, { ...answer, id: call.id, name: call.name }, this)
      if (passed instanceof Promise) passed.then(settle, fail)
      else settle(passed)
    } catch (error) {
      fail(error)
    }
  }

  #detach(connection: Connection, incoming: Incoming, error: Error | undefined): void {
    incoming.end()
    if (connection !== this.#connection) return
    this.#connection = undefined
    this.#incoming = undefined
    this.#events.end()
    if (this.#closed) return
    const refusal = refusalOf(connection, error)
    const again = this.#options.reconnects && refusal?.retryable !== false
    this.#calls.detach(again, refusal ?? rpcError('rpc.lost'))
    if (refusal !== undefined && isRystraError(error) && error.code.startsWith('channel.'))
      this.#calls.refuseWaiting(refusal)
    if (this.#options.reconnects) this.#emitter.emit('down', error)
    else this.#end(error)
  }

  /** @internal */
  observe(
    kind: CallRecord['kind'],
    direction: CallRecord['direction'],
    name: string,
    since: number,
    code: string,
    call?: IncomingCall
  ): void {
    const { onCall } = this.#settings
    if (onCall === undefined) return
    const duration = performance.now() - since
    onCall({ kind, direction, name, session: this, duration, code, ...(call === undefined ? {} : { call }) })
  }

  /** @internal There should be a connection. */
  wanted(): void {
    if (this.#connection === undefined && !this.#closed) this.#options.wanted?.()
  }

  /** @internal There is no connection to be had now: calls that wait are rejected. */
  unavailable(error: RpcError): void {
    this.#calls.refuseWaiting(error)
  }

  /** Tells the other side to make no new calls; those in flight go on. */
  goAway(error: RpcError = rpcError('rpc.closing')): void {
    this.#incoming?.close()
    this.#connection?.send.goAway(error)
  }

  /** Ends it: what is queued is sent, calls in flight are rejected with `rpc.lost`. */
  close(): void {
    this.#connection?.end()
    this.#end(undefined)
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#clockTimer)
    this.#events.end()
    this.#streams.end(rpcError('rpc.lost', error?.message))
    this.#calls.end(rpcError('rpc.lost', error?.message))
    this.#emitter.emit('close', error)
  }
}

/** Why a connection was never there: then no call on it has run. */
const refusalOf = (connection: Connection, error: Error | undefined): RpcError | undefined => {
  if (isRystraError(error) && error.code === 'channel.refused') return rpcError('rpc.denied', error.detail, error)
  return connection.greeted ? undefined : rpcError('rpc.unavailable', error?.message, error)
}
