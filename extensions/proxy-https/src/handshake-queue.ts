import type { Clock } from '@rystra/plugin'
import type { Socket } from 'node:net'

/** Why a connection was closed before its handshake was complete. */
export type CloseReason = 'handshake timeout' | 'too many handshakes at once'

/** Connections whose handshake is not complete. One above the maximum closes the oldest. */
export class HandshakeQueue {
  readonly #clock: Clock
  readonly #timeout: number
  readonly #max: number
  readonly #onClose: (socket: Socket, reason: CloseReason) => void
  /** The oldest first, each with the function that stops its timer. */
  readonly #pending = new Map<Socket, () => void>()
  #onEmpty: (() => void) | undefined

  constructor(clock: Clock, timeout: number, max: number, onClose: (socket: Socket, reason: CloseReason) => void) {
    this.#clock = clock
    this.#timeout = timeout
    this.#max = max
    this.#onClose = onClose
  }

  get size(): number {
    return this.#pending.size
  }

  add(socket: Socket): void {
    if (this.#pending.size >= this.#max) {
      const [oldest] = this.#pending.keys()
      if (oldest !== undefined) this.#close(oldest, 'too many handshakes at once')
    }
    const cancel = this.#clock.after(this.#timeout, () => this.#close(socket, 'handshake timeout'))
    this.#pending.set(socket, cancel)
    socket.once('close', () => this.remove(socket))
  }

  /** `false`: it was not in the queue. */
  remove(socket: Socket): boolean {
    this.#pending.get(socket)?.()
    const was = this.#pending.delete(socket)
    if (was && this.#pending.size === 0) this.#onEmpty?.()
    return was
  }

  /** Calls `then` when none is left. */
  whenEmpty(then: () => void): void {
    this.#onEmpty = then
    if (this.#pending.size === 0) then()
  }

  close(): void {
    for (const socket of [...this.#pending.keys()]) {
      this.remove(socket)
      socket.destroy()
    }
  }

  #close(socket: Socket, reason: CloseReason): void {
    if (!this.remove(socket)) return
    this.#onClose(socket, reason)
    socket.destroy()
  }
}
