import { BoundedMap } from '@rystra/limits'
import type { OrderFailure } from './failure.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Waits behind the first, second … failure of a host. Let's Encrypt takes 5 failures an hour. */
const HOST_WAITS_MS = [MINUTE_MS, 15 * MINUTE_MS, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS]

/** The same for failures that concern the account: they are about the authority rather than the host. */
const ACCOUNT_WAITS_MS = [MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS, HOUR_MS]

/** Longest wait: a record with a later time was written with a wrong clock. */
const MAX_WAIT_MS = 24 * HOUR_MS

/** Hosts whose failures are remembered. */
const MAX_HOSTS = 10_000

interface Failed {
  readonly failures: number
  /** Not before, in milliseconds since the epoch. */
  readonly next: number
}

/** What outlasts the process: a restart must not begin at the first wait again. */
export interface AttemptsRecord {
  readonly account: Failed
  readonly hosts: readonly (readonly [host: string, failures: number, next: number])[]
}

const none: Failed = { failures: 0, next: 0 }

const failedIn = (failures: unknown, next: unknown, now: number): Failed =>
  Number.isSafeInteger(failures) && Number.isFinite(next)
    ? { failures: Number(failures), next: Math.min(Number(next), now + MAX_WAIT_MS) }
    : none

/** Failed orders, by host and for the account, and how long nothing is tried again. */
export class Attempts {
  readonly #hosts = new BoundedMap<string, Failed>(MAX_HOSTS)
  readonly #random: () => number
  #account: Failed = none

  /** @param random from 0 to 1 */
  constructor(random: () => number) {
    this.#random = random
  }

  /** Takes up a record of an earlier process. What is not well-formed in it is left out. */
  restore(record: unknown, now: number): void {
    const { account, hosts } = (typeof record === 'object' && record !== null ? record : {}) as Partial<AttemptsRecord>
    this.#account = failedIn(account?.failures, account?.next, now)
    if (!Array.isArray(hosts)) return
    for (const entry of hosts as unknown[]) {
      if (Array.isArray(entry) && typeof entry[0] === 'string')
        this.#hosts.set(entry[0], failedIn(entry[1], entry[2], now))
    }
  }

  get record(): AttemptsRecord {
    return {
      account: this.#account,
      hosts: [...this.#hosts].map(([host, { failures, next }]) => [host, failures, next])
    }
  }

  /** When an order for this host may be tried. */
  earliest(host: string): number {
    return Math.max(this.#account.next, this.#hosts.get(host)?.next ?? 0)
  }

  failuresOf(host: string): number {
    return this.#hosts.get(host)?.failures ?? 0
  }

  /** Whether there was a failure to forget. */
  succeeded(host: string): boolean {
    const changed = this.#account.failures > 0
    this.#account = none
    return this.#hosts.delete(host) || changed
  }

  failed(host: string, failure: Pick<OrderFailure, 'pause' | 'concernsAccount'>, now: number): void {
    if (failure.concernsAccount) this.#account = this.#again(this.#account, ACCOUNT_WAITS_MS, failure.pause, now)
    else this.#hosts.set(host, this.#again(this.#hosts.get(host), HOST_WAITS_MS, failure.pause, now))
  }

  #again({ failures }: Failed = none, waits: readonly number[], pause: number, now: number): Failed {
    const wait = waits[Math.min(failures, waits.length - 1)] as number
    return { failures: failures + 1, next: Math.max(now + pause, now + wait * (1 + this.#random() / 10)) }
  }
}
