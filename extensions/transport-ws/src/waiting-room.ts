import type { Clock } from '@rystra/plugin'
import type { Socket } from 'node:net'
import { HANDSHAKE_TIMEOUT, MAX_UNDECIDED } from './limits.js'

/**
 * Connections that have not said yet what they want: in the TLS handshake, before or within the head of a request. Each
 * has a deadline, whatever it sends meanwhile. In numbers they push out the oldest of their own kind: who means it is
 * done within a round trip or two.
 */
export class WaitingRoom {
  readonly #waiting = new Map<Socket, () => void>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#waiting.size
  }

  /** `late` ends a connection whose time is over. */
  enter(socket: Socket, late: (socket: Socket) => void = (socket) => socket.destroy()): void {
    this.leave(socket)
    if (socket.destroyed) return
    if (this.#waiting.size >= MAX_UNDECIDED) {
      const [oldest] = this.#waiting.keys()
      if (oldest !== undefined) {
        this.leave(oldest)
        oldest.destroy()
      }
    }
    const cancel = this.#clock.after(HANDSHAKE_TIMEOUT, () => {
      this.leave(socket)
      late(socket)
    })
    const gone = (): void => this.leave(socket)
    socket.once('close', gone)
    this.#waiting.set(socket, () => {
      cancel()
      socket.removeListener('close', gone)
    })
  }

  leave(socket: Socket): void {
    this.#waiting.get(socket)?.()
    this.#waiting.delete(socket)
  }

  /** Nobody is let in any more. */
  close(): void {
    for (const socket of [...this.#waiting.keys()]) {
      this.leave(socket)
      socket.destroy()
    }
  }
}
