import { rpcError, type RpcError, toRpcError } from '../error.js'
import { type RpcMessage, runSteps } from '../middleware/middleware.js'
import type { Route } from '../router/route.js'
import type { Listener } from './rpc-session.js'
import type { Connection } from './connection.js'
import { RunningCall } from './running-call.js'
import type { Received } from './received.js'
import type { SessionHost } from './session-host.js'
import type { RpcSettings } from './settings.js'

/** Made once, as {@link Incoming} does with the one that names its limit. */
const unread = rpcError('rpc.busy', 'earlier answers are not read')

/** Of a connection without a call yet. Nothing is ever put into them. */
const noCalls = new Map<number, RunningCall>()
const noneRuns = new Set<RunningCall>()

/** Requests and events that the other side sent on one connection, until they are done with. */
export class Incoming {
  readonly #session: SessionHost
  readonly #connection: Connection
  readonly #settings: RpcSettings
  /** Calls whose caller waits. */
  #calls = noCalls
  /** Calls whose handler has not settled, those included that were given up. */
  #running = noneRuns
  /** Made once: a flood of them costs no stack traces. */
  #busy: RpcError | undefined
  #closing = false

  constructor(session: SessionHost, connection: Connection, settings: RpcSettings) {
    this.#session = session
    this.#connection = connection
    this.#settings = settings
  }

  /** Requests whose handlers run. */
  get size(): number {
    return this.#running.size
  }

  /** New requests are refused from now on. */
  close(): void {
    this.#closing = true
  }

  request(received: Received): void {
    const { id, name } = received
    if (this.#calls.has(id)) throw rpcError('rpc.protocol', `id ${id} is in use`)
    const { send } = this.#connection
    if (this.#closing) {
      send.error(id, rpcError('rpc.closing'))
      return
    }
    if (this.#running.size >= this.#settings.maxCalls) {
      this.#busy ??= rpcError('rpc.busy', `${this.#settings.maxCalls} calls at once`)
      send.error(id, this.#busy)
      return
    }
    if (this.#connection.full) {
      send.error(id, unread)
      return
    }
    const call = new RunningCall(id, name, this.#session, received.metadata, received.deadline)
    try {
      const data = received.decode()
      if (this.#calls === noCalls) [this.#calls, this.#running] = [new Map(), new Set()]
      this.#calls.set(id, call)
      this.#running.add(call)
      if (this.#settings.inbound.length === 0) this.#handle(call, data)
      else this.#pass(call, data, received.bytes)
    } catch (error) {
      this.#fail(call, error)
    }
  }

  /** Runs the middleware, then the handler. */
  #pass(call: RunningCall, data: unknown, bytes: number): void {
    const { id, name, metadata } = call
    const passed = runSteps(
      this.#settings.inbound,
      { kind: 'request', id, name, metadata, data, bytes, call },
      this.#session
    )
    if (passed instanceof Promise)
      passed.then((late) => this.#passed(call, late)).catch((error) => this.#fail(call, error))
    else this.#passed(call, passed)
  }

  #passed(call: RunningCall, message: RpcMessage | undefined): void {
    if (message === undefined) this.#drop(call)
    else this.#handle(call, message.data)
  }

  #drop(call: RunningCall): void {
    this.#over(call, 'dropped')
  }

  #handle(call: RunningCall, data: unknown): void {
    const route = this.#session.router.findHandler(call.name)
    if (route === undefined) {
      this.#fail(call, rpcError('rpc.unknown', call.name))
      return
    }
    route.check?.(data)
    const answer = route.fn(this.#session, data, call)
    if (typeof (answer as Promise<unknown> | undefined)?.then !== 'function') {
      this.#answer(call, answer)
      return
    }
    ;(answer as Promise<unknown>).then(
      (value) => this.#answer(call, value),
      (error) => this.#fail(call, error)
    )
  }

  #answer(call: RunningCall, value: unknown): void {
    if (this.#settings.outbound.length === 0) {
      this.#respond(call, value)
      return
    }
    const { id, name } = call
    try {
      const message: RpcMessage = { kind: 'response', id, name, metadata: {}, data: value, bytes: 0 }
      const passed = runSteps(this.#settings.outbound, message, this.#session)
      if (passed instanceof Promise) {
        passed.then((late) => this.#respondWith(call, late)).catch((error) => this.#sendError(call, error))
      } else this.#respondWith(call, passed)
    } catch (error) {
      this.#sendError(call, error)
    }
  }

  #respondWith(call: RunningCall, message: RpcMessage | undefined): void {
    if (message === undefined) this.#drop(call)
    else this.#respond(call, message.data, message.metadata)
  }

  #respond(call: RunningCall, value: unknown, metadata?: RpcMessage['metadata']): void {
    const { open } = call
    // Handlers that ran at once may answer with more than the peer reads.
    const refused = open && this.#connection.full
    if (!this.#over(call, refused ? unread.code : 'ok') || !open) return
    try {
      if (refused) this.#connection.send.error(call.id, unread)
      else this.#connection.send.response(call.id, value, metadata)
    } catch (error) {
      this.#settings.log.warn({ err: error, call: call.name }, 'an answer cannot be sent')
      this.#connection.send.error(call.id, toRpcError(error))
    }
  }

  /** What a handler threw. Middleware sees it on its way out. */
  #fail(call: RunningCall, thrown: unknown): void {
    const error = toRpcError(thrown)
    const { outbound, log } = this.#settings
    if (error.code === 'rpc.handler') log.warn({ err: error.cause, call: call.name }, 'a handler failed')
    if (outbound.length === 0) {
      this.#sendError(call, error)
      return
    }
    try {
      const { id, name } = call
      const message: RpcMessage = { kind: 'error', id, name, metadata: {}, data: error.data, error, bytes: 0 }
      const passed = runSteps(outbound, message, this.#session)
      if (passed instanceof Promise) {
        passed.then((late) => this.#sendError(call, late?.error ?? error)).catch(() => this.#sendError(call, error))
      } else this.#sendError(call, passed?.error ?? error)
    } catch {
      this.#sendError(call, error)
    }
  }

  #sendError(call: RunningCall, thrown: unknown): void {
    const error: RpcError = toRpcError(thrown)
    const { open } = call
    this.#over(call, error.code)
    if (open && !this.#connection.closed) this.#connection.send.error(call.id, error)
  }

  /** Answers whether the connection is still there to be answered on. */
  #over(call: RunningCall, code: string): boolean {
    this.#running.delete(call)
    if (this.#calls.get(call.id) === call) this.#calls.delete(call.id)
    call.finish()
    this.#report(call, code)
    return !this.#connection.closed
  }

  #report(call: RunningCall, code: string): void {
    if (call.report()) this.#session.observe('request', 'in', call.name, call.since, code, call)
  }

  event(received: Received, cost: number): void {
    const routes = this.#session.router.findListeners(received.name)
    const done = (): void => this.#connection.giveBack(cost)
    if (routes.length === 0 && this.#settings.inbound.length === 0) {
      done()
      return
    }
    const call = new RunningCall(received.id, received.name, this.#session, received.metadata, 0)
    const drop = (error?: unknown): void => {
      if (error !== undefined) this.#settings.log.debug({ err: error, event: call.name }, 'an event was dropped')
      done()
    }
    try {
      const data = received.decode()
      if (this.#settings.inbound.length === 0) {
        this.#listen(routes, call, data, done)
        return
      }
      const { id, name, metadata } = call
      const message: RpcMessage = { kind: 'event', id, name, metadata, data, bytes: received.bytes, call }
      const passed = runSteps(this.#settings.inbound, message, this.#session)
      const go = (late: RpcMessage | undefined): void =>
        late === undefined ? drop() : this.#listen(routes, call, late.data, done)
      if (passed instanceof Promise) passed.then(go, drop)
      else go(passed)
    } catch (error) {
      drop(error)
    }
  }

  #listen(routes: readonly Route<Listener>[], call: RunningCall, data: unknown, done: () => void): void {
    let running = 1
    const over = (error?: unknown): void => {
      if (error !== undefined) this.#settings.log.warn({ err: error, event: call.name }, 'a listener failed')
      running -= 1
      if (running > 0) return
      call.finish()
      this.#session.observe('event', 'in', call.name, call.since, 'ok', call)
      done()
    }
    for (const { fn, check } of routes) {
      running += 1
      try {
        check?.(data)
        const result = fn(this.#session, data, call)
        if (typeof (result as Promise<unknown> | undefined)?.then !== 'function') over()
        else (result as Promise<unknown>).then(() => over(), over)
      } catch (error) {
        over(error)
      }
    }
    over()
  }

  /** The caller gave a request up. */
  cancel(id: number): void {
    const call = this.#calls.get(id)
    // Its id is the caller's again; it counts as running until its handler has settled.
    this.#calls.delete(id)
    call?.cancel(rpcError('rpc.cancelled'))
  }

  /** The connection is gone: no answer is expected, and a handler that never settles holds no place of the next one. */
  end(): void {
    for (const call of this.#running) {
      call.cancel(rpcError('rpc.lost'))
      this.#report(call, 'rpc.lost')
    }
    this.#running.clear()
    this.#calls.clear()
  }
}
