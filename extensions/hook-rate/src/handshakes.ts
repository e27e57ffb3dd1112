import { networkOf } from '@rystra/address'
import type { Clock, ConnectContext, Deny, HelloContext, PeerInfo, RefusedContext } from '@rystra/plugin'
import type { Failures } from './failures.js'

/** Maximum of concurrent handshakes of a network without failures: as many guesses at once. */
const MAX_CONCURRENT = 64

/** Maximum of delayed handshakes of all networks. */
const MAX_WAITING = 256

const later = (deny: string, ms: number): Deny => ({ deny, retryAfter: Math.max(1, Math.ceil(ms / 1000)) })

/** Delays networks with failed authentications, and blocks persistent ones. */
export class Handshakes {
  readonly #failures: Failures
  readonly #clock: Clock
  /** Handshakes in progress, with their networks. */
  readonly #trying = new WeakMap<PeerInfo, string>()
  readonly #tries = new Map<string, number>()
  readonly #waiting = new Set<() => void>()
  #stopped = false

  constructor(failures: Failures, clock: Clock) {
    this.#failures = failures
    this.#clock = clock
  }

  /** Handles a Hello: continue, delay or refuse. */
  hello({ peer }: HelloContext): Deny | Promise<undefined> | undefined {
    if (!this.#failures.counts(peer.address)) return undefined
    const out = this.#failures.shutOut(peer.address)
    if (out > 0) return later('too many failed authentications from this address', out)
    const wait = this.#failures.slowed(peer.address)
    const network = networkOf(peer.address)
    const tries = this.#tries.get(network) ?? 0
    // After a failure one handshake at a time is allowed.
    if (tries >= (wait === undefined ? MAX_CONCURRENT : 1))
      return later('too many concurrent handshakes from this address', 1000)
    if (wait !== undefined && wait > 0 && this.#waiting.size >= MAX_WAITING)
      return later('too many delayed handshakes', 1000)
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

  /** Releases delayed handshakes. */
  stop(): void {
    this.#stopped = true
    for (const go of [...this.#waiting]) go()
  }
}
