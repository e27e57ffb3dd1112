import { type RpcError, rpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'
import { FrameType } from '../frame/types.js'
import { type RpcMessage, runSteps } from '../middleware/middleware.js'
import type { Connection } from './connection.js'
import type { OutgoingEvents } from './outgoing-events.js'
import type { CallSender, OutgoingCall, OutgoingCalls } from './outgoing-calls.js'
import type { Received } from './received.js'
import type { SessionHost } from './session-host.js'
import type { RpcSettings } from './settings.js'

/** Sends requests and events of one session and settles them by their answers, both through the middleware. */
export class OutgoingMessages {
  readonly #session: SessionHost
  readonly #calls: OutgoingCalls
  readonly #events: OutgoingEvents
  readonly #settings: RpcSettings

  constructor(session: SessionHost, calls: OutgoingCalls, events: OutgoingEvents, settings: RpcSettings) {
    this.#session = session
    this.#calls = calls
    this.#events = events
    this.#settings = settings
  }

  /** @param early whether calls that are sent go on waiting */
  sender(connection: Connection, early = false): CallSender {
    return new RequestSender(connection, this, early)
  }

  /** @internal */
  request(connection: Connection, call: OutgoingCall, early: boolean): void {
    const { outbound } = this.#settings
    const { id, name, data, options } = call
    if (outbound.length === 0) {
      sendRequest(connection, call, data, options.metadata)
      return
    }
    const message: RpcMessage = { kind: 'request', id, name, metadata: options.metadata ?? {}, data, bytes: 0 }
    const passed = runSteps(outbound, message, this.#session)
    const go = (late: RpcMessage | undefined): void => {
      const wanted = call.state === (early ? 'waiting' : 'sent')
      if (late !== undefined && wanted && !connection.closed) sendRequest(connection, call, late.data, late.metadata)
    }
    if (passed instanceof Promise) passed.then(go).catch((error) => this.#calls.fail(call, error as Error))
    else go(passed)
  }

  /** See `SessionHost.emit`. */
  emit(connection: Connection, name: string, data: unknown, metadata: Metadata | undefined): Promise<void> | undefined {
    const { outbound } = this.#settings
    if (outbound.length === 0) return this.#events.send(connection, this.#calls.takeId(), name, data, metadata)
    const message: RpcMessage = { kind: 'event', id: 0, name, metadata: metadata ?? {}, data, bytes: 0 }
    const passed = runSteps(outbound, message, this.#session)
    const send = (late: RpcMessage | undefined): Promise<void> | undefined =>
      late && this.#events.send(connection, this.#calls.takeId(), late.name, late.data, late.metadata)
    return passed instanceof Promise ? passed.then(send) : send(passed)
  }

  waitsFor(id: number): boolean {
    if (this.#calls.get(id) !== undefined) return true
    if (this.#calls.wasTaken(id)) return false
    throw rpcError('rpc.protocol', `an answer to ${id}, which is not an open call`)
  }

  response(received: Received): void {
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

  error(id: number, error: RpcError): void {
    const call = this.#calls.get(id)
    if (error.code === 'rpc.closing' && call !== undefined && this.#session.reconnects && this.#calls.postpone(call))
      return
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
      const passed = runSteps(inbound, { ...answer, id: call.id, name: call.name }, this.#session)
      if (passed instanceof Promise) passed.then(settle, fail)
      else settle(passed)
    } catch (error) {
      fail(error)
    }
  }
}

const sendRequest = (
  connection: Connection,
  { id, name, until }: OutgoingCall,
  data: unknown,
  metadata: Metadata | undefined
): void => {
  const left = until === 0 ? 0 : Math.min(Math.max(1, Math.round(until - performance.now())), 0xffff_ffff)
  connection.send.call(FrameType.request, id, name, left, data, metadata)
}

/** Sends calls on one connection. */
class RequestSender implements CallSender {
  readonly #connection: Connection
  readonly #messages: OutgoingMessages
  readonly #early: boolean

  constructor(connection: Connection, messages: OutgoingMessages, early: boolean) {
    this.#connection = connection
    this.#messages = messages
    this.#early = early
  }

  get maxCalls(): number {
    return this.#connection.peer.maxCalls
  }

  sendCancel(id: number): void {
    if (!this.#connection.closed) this.#connection.send.cancel(id)
  }

  sendRequest(call: OutgoingCall): void {
    this.#messages.request(this.#connection, call, this.#early)
  }
}
