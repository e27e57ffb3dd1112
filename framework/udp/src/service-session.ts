import type { Socket } from 'node:dgram'
import type { Recent } from './recency.js'
import { Sender } from './sender.js'
import type { Resolved } from './service-address.js'
import { tuneUdp, udpSocket } from './socket.js'
import type { Drop } from './drop-counter.js'

/** Events of the socket of a session. */
export interface ServiceSessionEvents {
  onAnswer(session: ServiceSession, datagram: Buffer): void
  /** For example ICMP "unreachable". The socket stays usable. */
  onError(session: ServiceSession, error: NodeJS.ErrnoException): void
}

/** A session at the service side: a connected socket, so that ICMP errors are reported. */
export class ServiceSession implements Recent {
  newer: Recent | undefined
  older: Recent | undefined
  readonly #socket: Socket
  readonly #sender: Sender
  #closed = false

  constructor(
    readonly id: number,
    readonly at: Resolved,
    port: number,
    public seen: number,
    events: ServiceSessionEvents
  ) {
    const { address, family } = at
    const socket = udpSocket(family)
    this.#socket = socket
    this.#sender = new Sender(socket, { host: address })
    socket.on('message', (datagram) => events.onAnswer(this, datagram))
    socket.on('error', (error) => {
      if (!this.#closed) events.onError(this, error)
    })
    socket.once('listening', () => tuneUdp(socket))
    // Connects synchronously, as nothing is resolved.
    socket.connect(port, address)
  }

  send(datagram: Buffer): Drop | undefined {
    return this.#sender.send(datagram)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    try {
      this.#socket.close()
    } catch {
      // It was never bound.
    }
  }
}
