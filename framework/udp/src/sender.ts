import type { Address } from '@rystra/plugin'
import type { Socket } from 'node:dgram'
import net from 'node:net'
import type { Drop } from './tally.js'

/** Bytes of the largest datagram over IPv4. */
const MAX_IPV4 = 65_507

/** Bytes that may wait in the process for the network. */
const QUEUE = 4 * 1024 * 1024

/** Datagrams between two looks at what waits. */
const LOOK_EVERY = 32

/** Sends through a socket, without a promise or a closure for each datagram, and never keeps more than it should. */
export class Sender {
  readonly #socket: Socket
  readonly #largest: number
  #untilLook = LOOK_EVERY
  #full = false

  /** @param local the address that the socket is bound to */
  constructor(socket: Socket, { host }: Pick<Address, 'host'>) {
    this.#socket = socket
    this.#largest = net.isIPv6(host) ? Number.POSITIVE_INFINITY : MAX_IPV4
  }

  /** Sends; to who the socket is connected with when there is no port. Answers with why not. */
  send(datagram: Buffer, port?: number, host?: string): Drop | undefined {
    if (datagram.length > this.#largest) return 'size'
    try {
      this.#untilLook -= 1
      if (this.#untilLook === 0 || this.#full) {
        this.#untilLook = LOOK_EVERY
        this.#full = this.#socket.getSendQueueSize() > QUEUE
      }
      if (this.#full) return 'slow'
      if (port === undefined) this.#socket.send(datagram, 0, datagram.length)
      else this.#socket.send(datagram, 0, datagram.length, port, host)
    } catch {
      // Only a socket that is closed, or was never connected, throws.
      return 'closed'
    }
    return undefined
  }
}
