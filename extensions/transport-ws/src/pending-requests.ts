import type { Clock } from '@rystra/plugin'
import type { Socket } from 'node:net'
import { HANDSHAKE_TIMEOUT_MS, MAX_PENDING } from './limits.js'

/**
 * Connections without a complete request head, TLS handshake included. Each has a fixed deadline. The oldest is evicted
 * at the limit: honest clients finish within two round trips.
 */
export class PendingRequests {
  readonly #waiting = new Map<Socket, () => void>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `onTimeout` ends a connection at its deadline. */
  add(socket: Socket, onTimeout: (socket: Socket) => void = (socket) => socket.destroy()): void {
    this.remove(socket)
    if (socket.destroyed) return
    if (this.#waiting.size >= MAX_PENDING) {
      const [oldest] = this.#waiting.keys()
      if (oldest !== undefined) {
        this.remove(oldest)
        oldest.destroy()
      }
    }
    const cancel = this.#clock.after(HANDSHAKE_TIMEOUT_MS, () => {
      this.remove(socket)
      onTimeout(socket)
    })
    const gone = (): void => this.remove(socket)
    socket.once('close', gone)
    this.#waiting.set(socket, () => {
      cancel()
      socket.removeListener('close', gone)
    })
  }

  remove(socket: Socket): void {
    this.#waiting.get(socket)?.()
    this.#waiting.delete(socket)
  }

  /** Closes all of them. */
  close(): void {
    for (const socket of [...this.#waiting.keys()]) {
      this.remove(socket)
      socket.destroy()
    }
  }
}
