import { networkOf } from '@rystra/address'
import type { Clock, ConnectContext, Deny, HelloContext, PeerInfo, RefusedContext } from '@rystra/plugin'
import type { Failures } from './failures.js'

/** Handshakes of one network that are under way at once, as long as it has not failed: 64 guesses, for who makes them all at once. */
const AT_ONCE = 64

/** Handshakes that are made to wait at once, of all networks together. */
const WAITING = 256

const later = (deny: string, ms: number): Deny => ({ deny, retryAfter: Math.max(1, Math.ceil(ms / 1000)) })

/** Slows down who fails to authenticate, and shuts out who goes on. */
export class Handshakes {
  readonly #failures: Failures
  readonly #clock: Clock
  /** Those under way, with the network each counts for. */
  readonly #trying = new WeakMap<PeerInfo, string>()
  readonly #tries = new Map<string, number>()
  readonly #waiting = new Set<() => void>()
  #stopped = false

  constructor(failures: Failures, clock: Clock) {
    this.#failures = failures
    this.#clock = clock
  }

  /** Networks with handshakes under way, and handshakes that wait. */
  get busy(): number {
    return this.#tries.size + this.#waiting.size
  }

  /** A peer said Hello: it may go on, now or later, or not. */
  hello({ peer }: HelloContext): Deny | Promise<undefined> | undefined {
    if (!this.#failures.counts(peer.address)) return undefined
    const out = this.#failures.shutOut(peer.address)
    if (out > 0) return later('too many failed authentications from this address', out)
    const wait = this.#failures.slowed(peer.address)
    const network = networkOf(peer.address)
    const tries = this.#tries.get(network) ?? 0
    // Who has failed has to wait for the answer before it may guess again.
    if (tries >= (wait === undefined ? AT_ONCE : 1)) return later('too many handshakes at once from this address', 1000)
    if (wait !== undefined && wait > 0 && this.#waiting.size >= WAITING)
      return later('too many handshakes are slowed down now', 1000)
    this.#trying.set(peer, network)
    this.#tries.set(network, tries + 1)
    return wait === undefined || wait === 0 ? undefined : this.#wait(wait)
  }

  #wait(ms: number): Promise<undefined> | undefined {
    if (this.#stopped) return undefined
    return new Promise((resolve) => {
      const go = (): void => {
        cancel()
        this.#waiting.delete(go)
        resolve(undefined)
      }
      const cancel = this.#clock.after(ms, go)
      this.#waiting.add(go)
    })
  }

  connected({ session }: Pick<ConnectContext, 'session'>): void {
    this.#done(session.peer)
  }

  refused({ what, peer, error }: RefusedContext): void {
    if (what !== 'session' || peer === undefined) return
    this.#done(peer)
    if (error.code === 'auth.refused') this.#failures.failed(peer.address)
  }

  #done(peer: PeerInfo): void {
    const network = this.#trying.get(peer)
    if (network === undefined) return
    this.#trying.delete(peer)
    const left = (this.#tries.get(network) ?? 1) - 1
    if (left > 0) this.#tries.set(network, left)
    else this.#tries.delete(network)
  }

  /** Lets go whoever waits. */
  stop(): void {
    this.#stopped = true
    for (const go of [...this.#waiting]) go()
  }
}
