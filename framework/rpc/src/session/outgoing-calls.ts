import { RpcError, rpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'
import { MAX_TIMER_MS } from './max-timer.js'

/** How a request is made. */
export interface RequestOptions {
  /** Milliseconds the answer may take, also told to the other side. 0: as long as it takes. @default 30000 */
  readonly deadline?: number
  /** Gives the call up. */
  readonly signal?: AbortSignal
  readonly metadata?: Metadata
  /** May be asked again, within its deadline, when the session is lost meanwhile. @default false */
  readonly idempotent?: boolean
  /**
   * May be sent in early data when a client comes back on QUIC: an attacker may be able to send it a second time, and it is
   * made again when its answer is late. @default false
   */
  readonly replaySafe?: boolean
}

/** Milliseconds that a call may take when nothing else is said. */
const DEFAULT_DEADLINE_MS = 30_000

/** Calls that wait until there is a session, or until one in flight is answered. One more is refused. */
const MAX_WAITING = 10_000

const MAX_ID = 0xffff_ffff

/** One call of this side, until it is answered. */
export interface OutgoingCall {
  readonly id: number
  readonly name: string
  readonly data: unknown
  readonly options: RequestOptions
  /** By `performance.now()`; 0 without a deadline. */
  readonly until: number
  readonly since: number
  resolve(value: unknown): void
  reject(error: Error): void
  state: 'waiting' | 'sent' | 'over'
  timer: NodeJS.Timeout | undefined
  onAbort: (() => void) | undefined
}

/** What sends calls: a connection. */
export interface CallSender {
  /** Calls that the other side takes at once. */
  readonly maxCalls: number
  sendRequest(call: OutgoingCall): void
  sendCancel(id: number): void
}

/** Of a session that has none yet: most sessions of a server are idle. Nothing is ever put into them. */
const noCalls = new Map<number, OutgoingCall>()
const noneWaits = new Set<OutgoingCall>()

/** The calls of one session: those in flight, and those that wait for a turn or a connection. */
export class OutgoingCalls {
  #calls = noCalls
  readonly #onOver: (call: OutgoingCall, code: string) => void
  /** In the order of their turns. */
  #waiting = noneWaits
  #inFlight = 0
  #nextId = 1
  readonly #lastId: number
  /** Ids began again at 1: each of them was taken once. */
  #wrapped = false
  #sender: CallSender | undefined
  #accepting = false

  /**
   * @param onOver sees each call that is over, with `ok` or the code of its error
   * @param lastId the id after which they begin again at 1
   */
  constructor(onOver: (call: OutgoingCall, code: string) => void, lastId = MAX_ID) {
    this.#onOver = onOver
    this.#lastId = lastId
  }

  get size(): number {
    return this.#calls.size
  }

  /** Those that were sent. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** A number for a request or an event: none that a call in flight has. */
  takeId(): number {
    let id = this.#nextId
    while (this.#calls.has(id)) id = this.#after(id)
    this.#nextId = this.#after(id)
    return id
  }

  #after(id: number): number {
    if (id < this.#lastId) return id + 1
    this.#wrapped = true
    return 1
  }

  /** Whether a call of this number was ever made. */
  wasTaken(id: number): boolean {
    return id !== 0 && (this.#wrapped || id < this.#nextId)
  }

  /** Calls that wait for a connection and may be sent early. */
  replaySafe(): OutgoingCall[] {
    return [...this.#waiting].filter(({ options }) => options.replaySafe === true)
  }

  get(id: number): OutgoingCall | undefined {
    return this.#calls.get(id)
  }

  request(name: string, data: unknown, options: RequestOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { deadline = DEFAULT_DEADLINE_MS, signal } = options
      const since = performance.now()
      const call: OutgoingCall = {
        id: this.takeId(),
        name,
        data,
        options,
        until: deadline > 0 ? since + deadline : 0,
        since,
        resolve,
        reject,
        state: 'waiting',
        timer: undefined,
        onAbort: undefined
      }
      if (signal?.aborted) return this.#refuse(call, cancelled(signal))
      if (this.#calls === noCalls) this.#calls = new Map()
      this.#calls.set(call.id, call)
      if (deadline > 0) {
        call.timer = setTimeout(expire, Math.min(deadline, MAX_TIMER_MS), this, call)
      }
      if (signal !== undefined) {
        call.onAbort = () => this.#giveUp(call, cancelled(signal))
        signal.addEventListener('abort', call.onAbort, { once: true })
      }
      this.#start(call)
    })
  }

  #start(call: OutgoingCall): void {
    const sender = this.#sender
    if (this.#room(sender) && this.#waiting.size === 0) this.#send(call, sender)
    else if (this.#waiting.size < MAX_WAITING) this.#wait(call)
    else this.#refuse(call, rpcError('rpc.busy', `${MAX_WAITING} calls are waiting`))
  }

  #wait(call: OutgoingCall): void {
    if (this.#waiting === noneWaits) this.#waiting = new Set()
    this.#waiting.add(call)
  }

  #room(sender: CallSender | undefined): sender is CallSender {
    return sender !== undefined && this.#accepting && this.#inFlight < sender.maxCalls
  }

  #send(call: OutgoingCall, sender: CallSender): void {
    call.state = 'sent'
    this.#inFlight += 1
    try {
      sender.sendRequest(call)
    } catch (error) {
      this.fail(call, error as Error)
    }
  }

  #refuse(call: OutgoingCall, error: Error): void {
    this.#close(call, (error as RpcError).code)
    call.reject(error)
  }

  #close(call: OutgoingCall, code: string): void {
    if (call.state === 'sent') this.#inFlight -= 1
    else this.#waiting.delete(call)
    call.state = 'over'
    this.#calls.delete(call.id)
    clearTimeout(call.timer)
    if (call.onAbort !== undefined) call.options.signal?.removeEventListener('abort', call.onAbort)
    this.#onOver(call, code)
    if (this.#waiting.size > 0) this.#next()
  }

  /** Sends those that wait, as far as there is room. */
  #next(): void {
    for (const call of this.#waiting) {
      const sender = this.#sender
      if (!this.#room(sender)) return
      this.#waiting.delete(call)
      this.#send(call, sender)
    }
  }

  settle(call: OutgoingCall, value: unknown): void {
    if (call.state === 'over') return
    this.#close(call, 'ok')
    call.resolve(value)
  }

  fail(call: OutgoingCall, error: Error): void {
    if (call.state === 'over') return
    this.#refuse(call, error)
  }

  /** The peer is closing and did not run it. Answers whether it waits for the next connection: idempotent calls do. */
  postpone(call: OutgoingCall): boolean {
    if (call.state !== 'sent' || call.options.idempotent !== true) return false
    call.state = 'waiting'
    this.#inFlight -= 1
    this.#accepting = false
    this.#wait(call)
    return true
  }

  /** @internal */
  expired(call: OutgoingCall): void {
    this.#giveUp(call, rpcError('rpc.deadline'))
  }

  #giveUp(call: OutgoingCall, error: Error): void {
    if (call.state === 'over') return
    if (call.state === 'sent') this.#sender?.sendCancel(call.id)
    this.#refuse(call, error)
  }

  /** There is a connection: what waits is sent on it. */
  attach(sender: CallSender): void {
    this.#sender = sender
    this.#accepting = true
    this.#next()
  }

  /** There may be more room. */
  resume(): void {
    this.#next()
  }

  /** The connection takes no new calls; those in flight go on. */
  pause(): void {
    this.#accepting = false
  }

  /** The connection is lost: what may be asked again waits for the next one, the rest is rejected. */
  detach(again: boolean, error: Error): void {
    this.#sender = undefined
    const retried: OutgoingCall[] = []
    for (const call of [...this.#calls.values()]) {
      if (call.state !== 'sent') continue
      if (again && call.options.idempotent === true) {
        call.state = 'waiting'
        this.#inFlight -= 1
        retried.push(call)
      } else this.#refuse(call, error)
    }
    if (retried.length > 0) this.#waiting = new Set([...retried, ...this.#waiting])
  }

  /** Rejects what waits for a connection. */
  refuseWaiting(error: Error): void {
    for (const call of [...this.#waiting]) this.fail(call, error)
  }

  /** There will be no connection any more. */
  end(error: Error): void {
    this.#sender = undefined
    for (const call of [...this.#calls.values()]) this.#refuse(call, error)
  }
}

const expire = (calls: OutgoingCalls, call: OutgoingCall): void => calls.expired(call)

/** Its reason, where it is an error of RPC: the deadline of an earlier call, for example. */
const cancelled = ({ reason }: AbortSignal): Error =>
  reason instanceof RpcError
    ? reason
    : rpcError('rpc.cancelled', reason instanceof Error ? reason.message : undefined, reason)
