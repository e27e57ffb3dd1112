import { rpcError } from '../error.js'
import type { Metadata } from '../frame/metadata.js'
import { MAX_TIMER_MS } from './max-timer.js'
import type { IncomingCall, RpcSession } from './rpc-session.js'

const none: Metadata = Object.freeze(Object.create(null))

/** An {@link IncomingCall} until it was answered or given up. */
export class RunningCall implements IncomingCall {
  readonly id: number
  readonly name: string
  readonly session: RpcSession
  readonly metadata: Metadata
  readonly since: number
  readonly #left: number
  #abort: AbortController | undefined
  #timer: NodeJS.Timeout | undefined
  #over = false
  #reported = false
  #reason: Error | undefined

  constructor(id: number, name: string, session: RpcSession, metadata: Metadata | undefined, left: number) {
    this.id = id
    this.name = name
    this.session = session
    this.metadata = metadata ?? none
    this.since = performance.now()
    this.#left = left
  }

  get deadline(): number | undefined {
    // Never 0, which would let a further call take as long as it likes.
    return this.#left === 0 ? undefined : Math.max(1, this.since + this.#left - performance.now())
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      const left = this.deadline
      if (this.#over) this.#abort.abort(this.#reason ?? rpcError('rpc.cancelled', 'the call is over'))
      else if (left !== undefined) {
        this.#timer = setTimeout(() => this.#abort?.abort(rpcError('rpc.deadline')), Math.min(left, MAX_TIMER_MS))
        this.#timer.unref()
      }
    }
    return this.#abort.signal
  }

  get open(): boolean {
    return !this.#over
  }

  /** @internal The caller does not wait any more. */
  cancel(reason: Error): void {
    if (this.#over) return
    this.#reason = reason
    this.finish()
    this.#abort?.abort(reason)
  }

  /** @internal It was answered, or no caller waits for it. */
  finish(): void {
    this.#over = true
    if (this.#timer !== undefined) clearTimeout(this.#timer)
  }

  /** @internal `true` the first time, so that a call is reported as over once. */
  report(): boolean {
    if (this.#reported) return false
    this.#reported = true
    return true
  }
}
