import type { Address } from '@rystra/plugin'
import type { BatchedUdp } from '@rystra/native'
import type { Socket } from 'node:dgram'
import net from 'node:net'
import type { Drop } from './drop-counter.js'

/** Largest datagram over IPv4. */
const MAX_IPV4_BYTES = 65_507

/** Bytes queued in the process for the network. */
const MAX_QUEUE_BYTES = 4 * 1024 * 1024

/** Datagrams between two checks of the queue. */
const CHECK_INTERVAL = 32

/** Sends through a socket without a promise or closure per datagram, and with a bounded queue. */
export class Sender {
  readonly #socket: Socket
  readonly #largest: number
  #untilCheck = CHECK_INTERVAL
  #full = false
  /** Sends instead of the socket. */
  batched: BatchedUdp | undefined

  /** @param local the address that the socket is bound to */
  constructor(socket: Socket, { host }: Pick<Address, 'host'>) {
    this.#socket = socket
    this.#largest = net.isIPv6(host) ? Number.POSITIVE_INFINITY : MAX_IPV4_BYTES
  }

  /** Sends a datagram and takes over its memory, without `port` to the connected peer. Returns the reason of a drop. */
  send(datagram: Buffer, port?: number, host?: string): Drop | undefined {
    if (datagram.length > this.#largest) return 'size'
    const { batched } = this
    if (batched !== undefined) return batched.post(datagram, port, host) ? undefined : 'output'
    try {
      this.#untilCheck -= 1
      if (this.#untilCheck === 0 || this.#full) {
        this.#untilCheck = CHECK_INTERVAL
        this.#full = this.#socket.getSendQueueSize() > MAX_QUEUE_BYTES
      }
      if (this.#full) return 'output'
      if (port === undefined) this.#socket.send(datagram, 0, datagram.length)
      else this.#socket.send(datagram, 0, datagram.length, port, host)
    } catch {
      // Only closed or unconnected sockets throw.
      return 'closed'
    }
    return undefined
  }
}
