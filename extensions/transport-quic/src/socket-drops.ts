import type { Metrics } from '@rystra/plugin'

/** A socket that knows how many packets it had no room for. */
interface Socket {
  readonly drops: number
}

/** Counts packets that arrived while the receive buffers of this extension's sockets were full. */
export class SocketDrops {
  readonly #sockets = new Map<Socket, number>()
  readonly #counter: ReturnType<Metrics['counter']>
  readonly #forget: () => void

  constructor(metrics: Metrics) {
    this.#counter = metrics.counter(
      'rystra_quic_socket_dropped_total',
      'QUIC packets for which the receive buffer of the socket had no room.'
    )
    this.#forget = metrics.collect(() => {
      for (const socket of this.#sockets.keys()) this.#read(socket)
    })
  }

  add(socket: Socket): void {
    this.#sockets.set(socket, 0)
  }

  /** Called before the socket is closed. */
  remove(socket: Socket): void {
    this.#read(socket)
    this.#sockets.delete(socket)
  }

  #read(socket: Socket): void {
    const { drops } = socket
    const more = drops - (this.#sockets.get(socket) ?? drops)
    if (more <= 0) return
    this.#counter.add(more)
    this.#sockets.set(socket, drops)
  }

  /** With the extension. */
  close(): void {
    this.#forget()
    for (const socket of this.#sockets.keys()) this.#read(socket)
  }
}
