import { RystraError, type Side } from '@rystra/model'
import type { DatagramChannel, DatagramFlow, DatagramStats } from '@rystra/plugin'

/** A flow that knows how much went through it, in bytes. */
export interface CountedFlow extends DatagramFlow {
  readonly id: number
  readonly sent: number
  readonly received: number
}

/** In front of each datagram: the flow it belongs to, big-endian. */
const PREFIX = 4

/** Numbers of flows are as many. */
const NUMBERS = 0x1_0000_0000

/** The datagrams of one session, told apart by the stream they go beside. See the protocol, 10. */
export class DatagramFlows {
  readonly #channel: DatagramChannel
  readonly #flows = new Map<number, Flow>()
  /** One message on its way out, with its prefix: the channel is done with it when `send` returns. */
  #out = Buffer.alloc(2048)

  readonly #side: Side
  #last: number
  #unclaimed = 0

  constructor(channel: DatagramChannel, side: Side) {
    this.#channel = channel
    this.#side = side
    this.#last = side === 'server' ? 0 : 1
    channel.onMessage = (message) => this.#arrived(message)
  }

  /** A new flow, with a number of this end: even ones are the server's. */
  open(): CountedFlow {
    do this.#last = (this.#last + 2) % NUMBERS
    while (this.#flows.has(this.#last))
    return this.#add(this.#last)
  }

  /** The flow that the other end has named. Throws `protocol.unexpected` for a number of this end, and for one in use. */
  accept(id: number): CountedFlow {
    const own = (id % 2 === 0) === (this.#side === 'server')
    if (own || this.#flows.has(id)) {
      const side = this.#side === 'server' ? 'client' : 'server'
      const detail = `flow ${id} ${own ? `is one of the ${this.#side}` : 'is in use'}`
      throw new RystraError('protocol.unexpected', { side, detail })
    }
    return this.#add(id)
  }

  #add(id: number): CountedFlow {
    const flow = new Flow(this, id)
    this.#flows.set(id, flow)
    return flow
  }

  get maxSize(): number {
    return Math.max(0, this.#channel.maxSize - PREFIX)
  }

  /** Those of the channel, and what no stream has taken. */
  stats(): DatagramStats | undefined {
    const stats = this.#channel.stats?.()
    return stats && { ...stats, dropped: { ...stats.dropped, unclaimed: this.#unclaimed } }
  }

  /** @internal */
  send(id: number, message: Uint8Array): boolean {
    const size = PREFIX + message.length
    // The channel refuses what does not fit; to ask it first would cost as much as to send.
    if (size > this.#out.length) {
      if (message.length > this.maxSize) return false
      this.#out = Buffer.alloc(size)
    }
    const out = this.#out
    out[0] = id >>> 24
    out[1] = id >>> 16
    out[2] = id >>> 8
    out[3] = id
    out.set(message, PREFIX)
    return this.#channel.send(out.subarray(0, size))
  }

  /** @internal */
  drop(id: number, flow: Flow): void {
    if (this.#flows.get(id) === flow) this.#flows.delete(id)
  }

  #arrived(message: Uint8Array): void {
    if (message.length < PREFIX) {
      this.#unclaimed += 1
      return
    }
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.length)
    const taken = this.#flows.get(bytes.readUInt32BE(0))?.arrived(bytes.subarray(PREFIX)) ?? false
    if (!taken) this.#unclaimed += 1
  }
}

class Flow implements CountedFlow {
  sent = 0
  received = 0
  onMessage: ((message: Buffer) => void) | undefined
  readonly id: number
  readonly #flows: DatagramFlows
  #closed = false

  constructor(flows: DatagramFlows, id: number) {
    this.#flows = flows
    this.id = id
  }

  get maxSize(): number {
    return this.#flows.maxSize
  }

  send(message: Uint8Array): boolean {
    if (this.#closed || !this.#flows.send(this.id, message)) return false
    this.sent += message.length
    return true
  }

  /** @internal */
  arrived(message: Buffer): boolean {
    if (this.onMessage === undefined) return false
    this.received += message.length
    this.onMessage(message)
    return true
  }

  close(): void {
    this.#closed = true
    this.onMessage = undefined
    this.#flows.drop(this.id, this)
  }
}
