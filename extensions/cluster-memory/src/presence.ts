import type { Clock, DirectoryMember } from '@rystra/plugin'

/** A member with its lease. */
export class Presence {
  readonly member: DirectoryMember
  readonly #lease: number
  readonly #clock: Clock
  readonly #onExpired: () => void
  #cancel: () => void

  constructor(member: DirectoryMember, lease: number, clock: Clock, onExpired: () => void) {
    this.member = member
    this.#lease = lease
    this.#clock = clock
    this.#onExpired = onExpired
    this.#cancel = clock.after(lease, onExpired)
  }

  renew(): void {
    this.#cancel()
    this.#cancel = this.#clock.after(this.#lease, this.#onExpired)
  }

  stop(): void {
    this.#cancel()
  }
}
