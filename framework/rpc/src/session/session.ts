import { isRystraError } from '@rystra/model'
import type { EarlyOffer } from '@rystra/plugin'
import { EventEmitter } from 'node:events'
import { State, type StateKey } from '../context/state.js'
import { earlyCalls } from '../early/outgoing.js'
import { type RpcError, rpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'
import type { ClientOptions } from '../links.js'
import type { CallRecord } from '../middleware/middleware.js'
import type { Members, Service } from '../service/define.js'
import { use } from '../service/use.js'
import { Router } from '../router/router.js'
import { Attached, type AttachedParts, type AttachedTo } from './attached.js'
import { type Connection, refusalOf } from './connection.js'
import type { SessionClock } from '../clock/session-clock.js'
import { ClockPings } from './clock-pings.js'
import { Gate } from './gate.js'
import type { IncomingCall, Listener, RpcSession, RpcSessionEvents, ServiceView } from './rpc-session.js'
import { OutgoingCalls, type RequestOptions } from './outgoing-calls.js'
import { OutgoingMessages } from './outgoing-messages.js'
import { OutgoingEvents } from './outgoing-events.js'
import type { RpcPeer } from './peer.js'
import type { RpcChannel } from './port.js'
import type { RpcStream } from './rpc-stream.js'
import type { StreamOptions } from './stream-options.js'
import type { RpcSessionOptions } from './session-options.js'
import type { RpcSettings } from './settings.js'
import { Streams } from './streams.js'

/** An {@link RpcSession} over the connections of its channels, one after the other. */
export class ProgramSession implements AttachedTo {
  #id: string
  readonly remote: RpcPeer
  readonly context: State
  readonly router: Router
  readonly #settings: RpcSettings
  readonly #state = new State()
  #emitter: EventEmitter<RpcSessionEvents> | undefined
  readonly #calls: OutgoingCalls
  readonly #messages: OutgoingMessages
  readonly #events = new OutgoingEvents()
  readonly #streams: Streams
  readonly #pings = new ClockPings((time) => this.#present?.connection.send.ping(this.#calls.takeId(), time()))
  readonly #options: RpcSessionOptions
  #reconnects: boolean
  readonly #parts: AttachedParts
  #present: Attached | undefined
  /** Connections whose links are drained, until they are over. */
  #left: Set<Attached> | undefined
  /** The other side takes no new calls on the present connection. */
  #leaving = false
  readonly #greeting = new Gate()
  #closed = false

  constructor(options: RpcSessionOptions) {
    this.#id = options.id
    this.#reconnects = options.reconnects
    this.remote = options.remote
    this.context = options.context
    this.router = new Router(options.router)
    this.#settings = options.settings
    this.#options = options
    this.#streams = new Streams(this, options.settings)
    this.#calls = new OutgoingCalls((call, code) => {
      this.observe('request', 'out', call.name, call.since, code)
      if (this.#leaving) this.wanted()
    })
    this.#messages = new OutgoingMessages(this, this.#calls, this.#events, options.settings)
    const { settings } = options
    this.#parts = { settings, calls: this.#calls, messages: this.#messages, streams: this.#streams, pings: this.#pings }
  }

  get id(): string {
    return this.#id
  }

  get identity(): RpcPeer['identity'] {
    return this.remote.identity
  }

  get connected(): boolean {
    return this.#present !== undefined
  }

  /** @internal Whether calls may go to another connection, although this one is not over. */
  get movable(): boolean {
    return this.#leaving && this.#calls.inFlight === 0
  }

  get reconnects(): boolean {
    return this.#reconnects
  }

  get closed(): boolean {
    return this.#closed
  }

  get rtt(): number | undefined {
    return this.clock.delay
  }

  get clock(): SessionClock {
    return this.#pings.clock
  }

  get streams(): number {
    return this.#streams.size
  }

  createStream(name: string, options: StreamOptions = {}): RpcStream {
    const { opener, target } = this.#options
    const head = { kind: 'stream', session: this.#id, ...target } as const
    return this.#streams.create(this.#calls.takeId(), name, options, this.#closed ? undefined : opener(), head)
  }

  peer(id: string, options: ClientOptions = {}): RpcSession {
    const { peers } = this.#options
    if (peers === undefined) throw rpcError('rpc.unavailable', 'only the session of a client with its server has peers')
    return peers(id, options)
  }

  use<Of extends Members>(service: Service<Of>): ServiceView<Of> {
    return use(this, service)
  }

  /** @internal The other side opened a stream of this session. */
  acceptStream(channel: RpcChannel): void {
    this.#streams.accept(channel)
  }

  get busy(): boolean {
    return this.#calls.size > 0 || this.#streams.size > 0 || (this.#present?.incoming.size ?? 0) > 0
  }

  get pending(): number {
    return this.#calls.size
  }

  get peerMetadata(): Metadata {
    return this.#present?.connection.peer.metadata ?? {}
  }

  get<Value>(key: StateKey<Value>): Value | undefined {
    return this.#state.get(key)
  }

  set<Value>(key: StateKey<Value>, value: Value): this {
    this.#state.set(key, value)
    return this
  }

  request(name: string, data?: unknown, options: RequestOptions = {}): Promise<unknown> {
    if (this.#closed) return Promise.reject(rpcError('rpc.lost', 'the session is closed'))
    this.wanted()
    return this.#calls.request(name, data, options)
  }

  emit(name: string, data?: unknown, metadata?: Metadata): Promise<void> | undefined {
    return this.#present && this.#messages.emit(this.#present.connection, name, data, metadata)
  }

  on<Name extends keyof RpcSessionEvents>(name: Name, fn: (...args: RpcSessionEvents[Name]) => void): () => void {
    this.#emitter ??= new EventEmitter()
    this.#emitter.on(name, fn as never)
    return () => this.#emitter?.off(name, fn as never)
  }

  listen(name: string, fn: Listener): () => void {
    return this.router.listener({ name, fn })
  }

  /** @internal The other side opened the channel that calls wait for: the session is that one from now on. */
  adopt(id: string): void {
    this.#id = id
    this.#reconnects = false
  }

  /** @internal Takes a stream that carries the frames of this session. */
  attach(channel: Pick<RpcChannel, 'stream' | 'onClosing' | 'work'>): Connection {
    const before = this.#present
    if (before !== undefined && this.movable) this.#leave(before)
    else before?.connection.fail(rpcError('rpc.lost', 'replaced by another connection'))
    const attached = new Attached(this, channel, this.#parts)
    this.#present = attached
    this.#leaving = false
    this.#calls.attach(this.#messages.sender(attached.connection))
    attached.connection.start()
    this.#emitter?.emit('up')
    return attached.connection
  }

  /** Streams, and what the other side asks, stay where they are. */
  #leave(attached: Attached): void {
    attached.work.leave(this.#streams.list())
    this.#left ??= new Set()
    this.#left.add(attached)
    this.#present = undefined
    this.#emitter?.emit('down', undefined)
  }

  /** @internal Resolves when the other side knows this session, or will not: a later stream may overtake its first. */
  established(): Promise<void> {
    return this.#closed || this.#present?.connection.established === true ? Promise.resolve() : this.#greeting.wait()
  }

  isPresent(attached: Attached): boolean {
    return attached === this.#present
  }

  onError(id: number, error: RpcError): void {
    this.#messages.error(id, error)
    if (this.#leaving) this.wanted()
  }

  onCredit(): void {
    this.#greeting.release()
    if (this.#present !== undefined) this.#events.flush(this.#present.connection)
    this.#calls.resume()
  }

  onGoAway(error: RpcError): void {
    this.#calls.pause()
    this.#leaving = true
    this.#emitter?.emit('goAway', error)
    this.wanted()
  }

  onClose(attached: Attached, error?: Error): void {
    this.#left?.delete(attached)
    if (attached !== this.#present) return
    this.#present = undefined
    this.#leaving = false
    this.#events.end()
    this.#greeting.release()
    if (this.#closed) return
    const refusal = refusalOf(attached.connection, error)
    const again = this.#reconnects && refusal?.retryable !== false
    this.#calls.detach(again, refusal ?? rpcError('rpc.lost'))
    if (refusal !== undefined && isRystraError(error) && error.code.startsWith('channel.'))
      this.#calls.refuseWaiting(refusal)
    if (this.#reconnects) this.#emitter?.emit('down', refusal ?? error)
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
    const report = this.#options.report?.()
    if (onCall === undefined && report === undefined) return
    const duration = performance.now() - since
    onCall?.({ kind, direction, name, session: this, duration, code, ...(call === undefined ? {} : { call }) })
    report?.({ kind, direction, name, duration, code })
  }

  /** @internal There should be a connection. */
  wanted(): void {
    if (!this.#closed && (this.#present === undefined || this.movable)) this.#options.wanted?.()
  }

  /** @internal There is no connection to be had now: calls that wait are rejected. */
  unavailable(error: RpcError): void {
    this.#calls.refuseWaiting(error)
    this.#greeting.release()
  }

  /** @internal Calls that wait, as early data. */
  early(limit: number): Promise<EarlyOffer | undefined> {
    return earlyCalls(this.#calls.replaySafe(), this.#messages, this.#settings, limit)
  }

  goAway(error: RpcError = rpcError('rpc.closing')): void {
    this.#present?.incoming.close()
    this.#present?.connection.send.goAway(error)
  }

  close(): void {
    this.#present?.connection.end()
    for (const { connection } of this.#left ?? []) connection.end()
    this.#end(undefined)
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#pings.stop()
    this.#greeting.release()
    this.#events.end()
    this.#streams.end(rpcError('rpc.lost', error?.message))
    this.#calls.end(rpcError('rpc.lost', error?.message))
    this.#emitter?.emit('close', error)
  }
}
