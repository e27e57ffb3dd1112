import { background, type Clock, type Logger } from '@rystra/plugin'
import type { Notification } from './notification.js'

/** How one attempt ended. `wait`: milliseconds that the target asked to be left alone. */
export type Attempt =
  | { readonly ok: true }
  | { readonly ok: false; readonly retry: boolean; readonly reason: string; readonly wait?: number }

/** Where notifications go. */
export interface Target {
  /** For logs: without secrets. */
  readonly name: string
  /** Must end when `signal` is aborted. `lost`: how many notifications before this one were dropped. */
  send(notification: Notification, lost: number, signal: AbortSignal): Promise<Attempt>
}

export interface DeliveryOptions {
  readonly target: Target
  readonly attempts: number
  /** Notifications that may wait. */
  readonly queue: number
  readonly clock: Clock
  readonly log: Logger
  readonly counted: (outcome: 'sent' | 'failed' | 'lost') => void
  /** From 0 to 1. @default Math.random */
  readonly random?: () => number
}

const FIRST_DELAY_MS = 1000
const MAX_DELAY_MS = 5 * 60 * 1000
/** Attempts at the same time, of different subjects. */
const MAX_PARALLEL = 4

interface Waiting {
  readonly notification: Notification
  attempt: number
}

/**
 * Delivers notifications to one target: in their order within a subject, while others pass those that wait for another
 * attempt. Delays grow exponentially, with full jitter. Above the limit the oldest one that is not on its way is dropped:
 * the newest says how things are.
 */
export class Delivery {
  readonly #options: DeliveryOptions
  /** In order. The first of each subject is the one that is sent, or waits for its next attempt. */
  readonly #queue = new Map<string, Waiting[]>()
  /** Subjects whose first notification is being sent, or waits for its time. */
  readonly #busy = new Set<string>()
  /** Of subjects that wait for another attempt. */
  readonly #timers = new Map<string, () => void>()
  readonly #abort = new AbortController()
  #size = 0
  #sending = 0
  #lost = 0
  #stopped = false
  #idle: (() => void) | undefined

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  add(notification: Notification): void {
    if (this.#stopped) return
    if (this.#size >= this.#options.queue) this.#dropOldest()
    const { subject } = notification
    const list = this.#queue.get(subject)
    if (list === undefined) this.#queue.set(subject, [{ notification, attempt: 0 }])
    else list.push({ notification, attempt: 0 })
    this.#size++
    this.#next()
  }

  /** Notifications that wait or are on their way. */
  get size(): number {
    return this.#size
  }

  /** Gives what waits `ms` milliseconds to be sent, without further attempts, and drops the rest. */
  async stop(ms: number): Promise<void> {
    this.#stopped = true
    // What waits for another attempt gets its last one now.
    for (const [subject, cancel] of this.#timers) {
      cancel()
      this.#busy.delete(subject)
    }
    this.#timers.clear()
    this.#next()
    if (this.#size > 0) {
      await new Promise<void>((resolve) => {
        const cancel = this.#options.clock.after(ms, resolve)
        this.#idle = () => {
          cancel()
          resolve()
        }
      })
    }
    this.#abort.abort()
    if (this.#size > 0)
      this.#options.log.warn(
        { target: this.#options.target.name, count: this.#size },
        'notifications were not delivered before the stop'
      )
    for (let i = this.#size; i > 0; i--) this.#options.counted('lost')
    this.#queue.clear()
    this.#size = 0
  }

  #dropOldest(): void {
    for (const [subject, list] of this.#queue) {
      const at = this.#busy.has(subject) ? 1 : 0
      if (list.length <= at) continue
      list.splice(at, 1)
      if (list.length === 0) this.#queue.delete(subject)
      this.#size--
      this.#lose()
      return
    }
    // Each waiting one is on its way or between two attempts: give up the oldest of them.
    const [subject] = this.#queue.keys()
    if (subject !== undefined && this.#queue.get(subject)?.shift() !== undefined) {
      if (this.#queue.get(subject)?.length === 0) this.#queue.delete(subject)
      this.#size--
      this.#lose()
    }
  }

  #lose(): void {
    if (this.#lost++ === 0)
      this.#options.log.warn({ target: this.#options.target.name }, 'notifications are dropped: the target is too slow')
    this.#options.counted('lost')
  }

  #next(): void {
    for (const [subject, list] of this.#queue) {
      if (this.#sending >= MAX_PARALLEL) return
      const [first] = list
      if (first === undefined || this.#busy.has(subject)) continue
      this.#busy.add(subject)
      this.#sending++
      background(this.#send(subject, first), this.#options.log, 'a notification was not sent')
    }
    if (this.#size === 0 && this.#sending === 0) this.#idle?.()
  }

  async #send(subject: string, waiting: Waiting): Promise<void> {
    const { target, attempts, log, counted } = this.#options
    const lost = this.#lost
    waiting.attempt++
    const result = await target
      .send(waiting.notification, lost, this.#abort.signal)
      .catch((error: unknown): Attempt => ({ ok: false, retry: true, reason: String(error) }))
    this.#sending--
    // What was left at the stop has been counted there.
    if (this.#abort.signal.aborted) return
    const { type } = waiting.notification
    if (result.ok) {
      this.#lost -= Math.min(this.#lost, lost)
      counted('sent')
      this.#done(subject, waiting)
      return
    }
    const { retry, reason, wait = 0 } = result
    if (!retry || waiting.attempt >= attempts || this.#stopped) {
      log.warn(
        { target: target.name, type, subject, attempt: waiting.attempt, reason },
        'a notification could not be delivered'
      )
      counted('failed')
      this.#done(subject, waiting)
      return
    }
    log.debug(
      { target: target.name, type, subject, attempt: waiting.attempt, reason },
      'a notification will be sent again'
    )
    this.#later(subject, Math.max(this.#delay(waiting.attempt), Math.min(wait, MAX_DELAY_MS)))
    this.#next()
  }

  #delay(attempt: number): number {
    const most = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** attempt)
    return Math.round((this.#options.random ?? Math.random)() * most)
  }

  #later(subject: string, ms: number): void {
    const cancel = this.#options.clock.after(ms, () => {
      this.#timers.delete(subject)
      this.#busy.delete(subject)
      this.#next()
    })
    this.#timers.set(subject, cancel)
  }

  #done(subject: string, waiting: Waiting): void {
    this.#busy.delete(subject)
    const list = this.#queue.get(subject)
    // It may have been dropped while it was on its way.
    if (list?.[0] === waiting) {
      list.shift()
      this.#size--
      if (list.length === 0) this.#queue.delete(subject)
    }
    this.#next()
  }
}
