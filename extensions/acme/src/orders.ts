import {
  background,
  type CertificatePair,
  type Clock,
  isRystraError,
  type Logger,
  type RuntimeEvents,
  RystraError
} from '@rystra/plugin'
import type { Attempts } from './attempts.js'
import type { Authority } from './authority.js'
import { checkIssued } from './check-issued.js'
import { type FailureCode, OrderFailure } from './failure.js'
import { type Host, type InUse, inUse } from './host.js'
import type { AcmeOptions } from './options.js'
import type { Store } from './store.js'

const HOUR_MS = 60 * 60 * 1000

/** Orders in progress at one time. */
const MAX_ORDERS = 2

/** Time for one order, with the check of the host by the authority. */
const ORDER_TIMEOUT_MS = 5 * 60 * 1000

/** Longer than that a lock is of a process that has crashed: an order is broken off by its time. */
const LOCK_MARGIN_MS = 60 * 1000

/** Wait while another process orders. */
const BUSY_MS = 15 * 1000

/** Wait before a certificate that could not be written is written again. */
const SAVE_AGAIN_MS = 10 * 60 * 1000

/** What {@link Orders} work with. */
export interface OrdersHost {
  /** Name of the instance, as events and lists show it. */
  readonly name: string
  readonly options: Pick<AcmeOptions, 'challenges' | 'order' | 'ordersPerHour'>
  readonly authority: Authority
  readonly store: Store
  readonly attempts: Attempts
  readonly clock: Clock
  readonly log: Logger
  readonly events: Pick<RuntimeEvents, 'report'>
  error(code: FailureCode, details: { readonly detail: string; readonly cause?: unknown }): RystraError
  /** From 0 to 1. */
  random(): number
}

/** Orders certificates, a few at a time, and writes them down. */
export class Orders {
  readonly #of: OrdersHost
  readonly #schedule: (host: Host) => void
  readonly #queue = new Set<Host>()
  /** Beginnings of the orders of the last hour. */
  readonly #begun: number[] = []
  readonly #aborting = new Set<AbortController>()
  /** Orders and writes in progress. */
  readonly #pending = new Set<Promise<void>>()
  #running = 0
  #active = false

  /** @param schedule sets the timer of the next order of a host */
  constructor(host: OrdersHost, schedule: (host: Host) => void) {
    this.#of = host
    this.#schedule = schedule
  }

  /** Orders a certificate for a host, when its turn comes. */
  add(host: Host): void {
    this.#queue.add(host)
    this.#run()
  }

  delete(host: Host): void {
    this.#queue.delete(host)
  }

  resume(): void {
    this.#active = true
  }

  /** Orders nothing any more, and breaks off what is in progress. */
  pause(): void {
    this.#active = false
    this.#queue.clear()
    for (const controller of this.#aborting) controller.abort(new OrderFailure('timeout', 'the order was broken off'))
  }

  /** Resolves when nothing is written any more. */
  async settled(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending)
  }

  /** Begins what waits, within the limits. */
  #run(): void {
    const { attempts, clock, options } = this.#of
    for (const host of this.#queue) {
      if (this.#running >= MAX_ORDERS) return
      const now = clock.now()
      while ((this.#begun[0] ?? now) <= now - HOUR_MS) this.#begun.shift()
      this.#queue.delete(host)
      const [oldest = now] = this.#begun
      const full = this.#begun.length >= options.ordersPerHour
      const at = Math.max(attempts.earliest(host.name), full ? oldest + HOUR_MS : 0)
      if (at > now) {
        host.next = at
        host.cancel = clock.after(at - now, () => this.#schedule(host))
        continue
      }
      this.#begun.push(now)
      this.#track(this.#order(host))
    }
  }

  /** Never rejects. */
  async #order(host: Host): Promise<void> {
    const { authority, attempts, clock, events, log, name: source, options, random, store } = this.#of
    const { name } = host
    const renewed = host.use !== undefined
    const controller = new AbortController()
    const late = new OrderFailure('timeout', `no certificate within ${ORDER_TIMEOUT_MS} ms`)
    const cancel = clock.after(ORDER_TIMEOUT_MS, () => controller.abort(late))
    const challenge = options.challenges[attempts.failuresOf(name) % options.challenges.length] as 'http-01'
    this.#aborting.add(controller)
    this.#running += 1
    host.state = 'ordering'
    host.next = undefined
    log.info({ host: name, challenge, renewed }, 'ordering a certificate')
    let release: (() => Promise<void>) | undefined
    try {
      release = await store.lockOrder(name, ORDER_TIMEOUT_MS + LOCK_MARGIN_MS)
      if (release === undefined) {
        host.state = 'waiting'
        host.busyUntil = clock.now() + BUSY_MS
        log.info({ host: name }, 'another process with this state folder orders the certificate')
        return
      }
      const found = await this.#written(host)
      if (found !== undefined) {
        host.use = found
        host.state = 'waiting'
        host.error = undefined
        log.info({ host: name }, 'another process with this state folder has a new certificate, which is used')
        return
      }
      await store.checkSpace()
      const pair = await authority.issue({ host: name, challenge, signal: controller.signal })
      const use = inUse(checkIssued(pair, name, clock.now()), random())
      host.use = use
      host.state = 'waiting'
      host.error = undefined
      log.info({ host: name, expires: new Date(use.ends).toISOString() }, 'there is a new certificate')
      events.report('certificate.issued', { host: name, source, expires: use.ends, renewed })
      if (attempts.succeeded(name)) this.#saveAttempts()
      await this.#save(host, pair)
    } catch (error) {
      // Broken off by a stop or a reload: not a failure of the host.
      if (this.#active) this.#failed(host, error)
      else host.state = 'waiting'
    } finally {
      await release?.()
      cancel()
      this.#aborting.delete(controller)
      this.#running -= 1
      this.#schedule(host)
      if (this.#active) this.#run()
    }
  }

  #failed(host: Host, cause: unknown): void {
    const { attempts, clock, events, log, name: source } = this.#of
    const failure = cause instanceof OrderFailure ? cause : { pause: 0, concernsAccount: isRystraError(cause) }
    attempts.failed(host.name, failure, clock.now())
    this.#saveAttempts()
    const error = this.#errorOf(cause)
    host.state = 'failed'
    host.error = error
    const retryAt = attempts.earliest(host.name)
    const fields = { err: error, host: host.name, next: new Date(retryAt).toISOString() }
    const inPlace = host.use === undefined ? 'visitors get the self-signed one' : 'the one from before stays in use'
    log.warn(fields, `no certificate was issued: ${inPlace}`)
    const { code, message, retryable } = error
    events.report('certificate.failed', { host: host.name, source, error: { code, message, retryable }, retryAt })
  }

  #errorOf(cause: unknown): RystraError {
    if (isRystraError(cause)) return cause
    if (cause instanceof OrderFailure) return this.#of.error(cause.code, { detail: cause.detail })
    return new RystraError('internal', { side: 'server', detail: (cause as Error).message, cause })
  }

  #saveAttempts(): void {
    const { attempts, log, store } = this.#of
    const failed = (err: unknown): void => log.debug({ err }, 'failed orders cannot be recorded')
    this.#track(store.saveAttempts(attempts.record).catch(failed))
  }

  /** The certificate that another process has written meanwhile: two that share a state folder need one order. */
  async #written({ name, use: present }: Host): Promise<InUse | undefined> {
    const { clock, random, store } = this.#of
    const pair = await store.certificate(name)
    if (pair === undefined) return undefined
    const use = inUse(pair, random())
    return use.renew > clock.now() && use.begins > (present?.begins ?? 0) ? use : undefined
  }

  /** Never rejects. A certificate that cannot be written is in use meanwhile, and written later. */
  async #save(host: Host, pair: CertificatePair): Promise<void> {
    const { clock, log, store } = this.#of
    try {
      await store.saveCertificate(host.name, pair)
    } catch (err) {
      log.warn({ err, host: host.name }, 'the new certificate is in use, but cannot be written: it is tried again')
      if (!this.#active) return
      host.cancelSave = clock.after(SAVE_AGAIN_MS, () => {
        if (host.use?.pair === pair) this.#track(this.#save(host, pair))
      })
    }
  }

  #track(task: Promise<void>): void {
    this.#pending.add(task)
    background(
      task.finally(() => this.#pending.delete(task)),
      this.#of.log,
      'a task of certificates failed'
    )
  }
}
