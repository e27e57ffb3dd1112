import type { Clock } from '@rystra/plugin'
import type { Socket } from 'node:net'

/** Why somebody is closed before it was known what to do with them. */
export type Late = 'it took too long' | 'too many handshakes at once'

/** Connections that have not shown yet that they mean it. One more than there may be closes the oldest. */
export class Newcomers {
  readonly #clock: Clock
  readonly #timeout: number
  readonly #most: number
  readonly #onLate: (socket: Socket, why: Late) => void
  /** The oldest first, each with what stops its timer. */
  readonly #all = new Map<Socket, () => void>()

  constructor(clock: Clock, timeout: number, most: number, onLate: (socket: Socket, why: Late) => void) {
    this.#clock = clock
    this.#timeout = timeout
    this.#most = most
    this.#onLate = onLate
  }

  get size(): number {
    return this.#all.size
  }

  add(socket: Socket): void {
    if (this.#all.size >= this.#most) {
      const [oldest] = this.#all.keys()
      if (oldest !== undefined) this.#close(oldest, 'too many handshakes at once')
    }
    this.#all.set(
      socket,
      this.#clock.after(this.#timeout, () => this.#close(socket, 'it took too long'))
    )
    socket.once('close', () => this.admit(socket))
  }

  /** It is none any more. `false` when it was none. */
  admit(socket: Socket): boolean {
    this.#all.get(socket)?.()
    return this.#all.delete(socket)
  }

  close(): void {
    for (const socket of [...this.#all.keys()]) {
      this.admit(socket)
      socket.destroy()
    }
  }

  #close(socket: Socket, why: Late): void {
    if (!this.admit(socket)) return
    this.#onLate(socket, why)
    socket.destroy()
  }
}
