import { BatchedUdp, kernelDrops } from '@rystra/native'
import type { Socket } from 'node:dgram'
import type { Recent } from './recency.js'
import { Sender } from './sender.js'
import type { Resolved } from './service-address.js'
import { tuneUdp, udpSocket } from './socket.js'
import type { Drop } from './drop-counter.js'

/** Datagrams after which the native part takes over: a session of few is not worth a second descriptor. */
const TAKE_OVER_AFTER = 32

/** Events of the socket of a session. */
export interface ServiceSessionEvents {
  /** `datagram` is lent. */
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
  readonly #events: ServiceSessionEvents
  #closed = false
  #untilTakeOver: number

  constructor(
    readonly id: number,
    readonly at: Resolved,
    port: number,
    public seen: number,
    events: ServiceSessionEvents,
    native = true
  ) {
    const { address, family } = at
    const socket = udpSocket(family)
    this.#socket = socket
    this.#sender = new Sender(socket, { host: address })
    this.#events = events
    this.#untilTakeOver = native ? TAKE_OVER_AFTER : Number.POSITIVE_INFINITY
    socket.on('message', (datagram) => {
      this.#count()
      events.onAnswer(this, datagram)
    })
    socket.on('error', this.#onError)
    socket.once('listening', () => tuneUdp(socket))
    // Connects synchronously, as nothing is resolved.
    socket.connect(port, address)
  }

  /** Answers for which the socket had no room. */
  get drops(): number {
    return kernelDrops(this.#socket)
  }

  readonly #onError = (error: Error): void => {
    if (!this.#closed) this.#events.onError(this, error)
  }

  #count(): void {
    this.#untilTakeOver -= 1
    if (this.#untilTakeOver !== 0) return
    const onDatagram = (datagram: Buffer): void => this.#events.onAnswer(this, datagram)
    this.#sender.batched = BatchedUdp.attach(this.#socket, { onDatagram, onError: this.#onError })
  }

  send(datagram: Buffer): Drop | undefined {
    this.#count()
    return this.#sender.send(datagram)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#sender.batched?.close()
    try {
      this.#socket.close()
    } catch {
      // It was never bound.
    }
  }
}
