import type { DatagramChannel, DatagramStats } from '@rystra/plugin'
import type { QuicheConnection } from './binding.js'
import type { PathMtu, Probe } from './path-mtu.js'

/** The first byte of a datagram: its type. */
const Kind = { message: 0, probe: 1, answer: 2, arrived: 3 } as const

/** Packet overhead: header, connection id, packet number, tag, frame. */
const OVERHEAD_BYTES = 1 + 16 + 4 + 16 + 3

/** Bytes that wait to be sent; further datagrams are dropped. As much as over a stream, see `@rystra/udp`. */
const MAX_QUEUE_BYTES = 1024 * 1024

/** Datagrams queued in quiche, which drops the oldest received ones beyond it without a word. */
export const MAX_QUEUED = 16_384

/** Received bytes after which datagrams are read within a turn: the smallest messages of a session have 12 bytes. */
const READ_AFTER_BYTES = 48 * 1024

/** What datagrams need of their link. */
export interface DatagramHost {
  readonly connection: QuicheConnection
  readonly mtu: PathMtu
  readonly carries: boolean
  /** The answer to an address probe. */
  arrived(token: Uint8Array): void
  wake(): void
}

/** Unreliable datagrams, RFC 9221. */
export class Datagrams implements DatagramChannel {
  onMessage: ((message: Uint8Array) => void) | undefined
  readonly #host: DatagramHost
  #sent = 0
  #received = 0
  #full = 0
  #oversized = 0
  #unread = 0

  constructor(host: DatagramHost) {
    this.#host = host
  }

  stats(): DatagramStats {
    const { connection } = this.#host
    return {
      sent: this.#sent,
      received: this.#received,
      queued: connection.dgramSendQueueLen(),
      dropped: { queue: this.#full, size: this.#oversized, unclaimed: 0 },
      lostPackets: connection.stats().lost
    }
  }

  get maxSize(): number {
    const { connection, mtu, carries } = this.#host
    const allowed = carries ? (connection.dgramMaxWritableLen() ?? 0) : 0
    return Math.max(0, Math.min(allowed, mtu.size - OVERHEAD_BYTES) - 1)
  }

  send(message: Uint8Array): boolean {
    if (message.length > this.maxSize) return false
    const bytes = Buffer.allocUnsafe(1 + message.length)
    bytes[0] = Kind.message
    bytes.set(message, 1)
    const sent = this.#send(bytes)
    if (sent) this.#sent += 1
    else this.#full += 1
    return sent
  }

  #send(bytes: Buffer): boolean {
    const { connection } = this.#host
    if (!this.#host.carries || connection.isDgramSendQueueFull()) return false
    if (connection.dgramSendQueueByteSize() + bytes.length > MAX_QUEUE_BYTES) return false
    try {
      connection.dgramSendVec(bytes)
    } catch {
      return false
    }
    this.#host.wake()
    return true
  }

  /** A packet was received. Reads before the queue of quiche is full: a turn may bring thousands of datagrams. */
  packet(bytes: number): void {
    this.#unread += bytes
    if (this.#unread >= READ_AFTER_BYTES && this.#host.carries) this.readAll()
  }

  /** Reads all received datagrams, also without a handler: quiche would drop the oldest ones. */
  readAll(): void {
    const { connection } = this.#host
    this.#unread = 0
    for (let message = connection.dgramRecvVec(); message !== null; message = connection.dgramRecvVec()) {
      const kind = message[0]
      if (kind === Kind.message) {
        this.#received += 1
        this.onMessage?.(message.subarray(1))
      } else if (kind === Kind.arrived) this.#host.arrived(message.subarray(1))
      else if (message.length < 5) continue
      else if (kind === Kind.probe) this.#answer(message)
      else if (kind === Kind.answer) this.#host.mtu.answered(Buffer.from(message).readUInt32BE(1))
    }
  }

  #answer(probe: Uint8Array): void {
    const answer = Buffer.from(probe.subarray(0, 5))
    answer[0] = Kind.answer
    this.#send(answer)
  }

  /** Confirms the receipt of an address probe. */
  arrived(token: Uint8Array): void {
    this.#send(Buffer.concat([Buffer.from([Kind.arrived]), token]))
  }

  /**
   * Sends a datagram that fills a packet of the probed size, in front of the queue: behind other datagrams it would not
   * be in that packet, and would delay those after it. Returns whether it was sent.
   */
  probe({ id, size }: Probe, leave: () => void): boolean {
    const { connection } = this.#host
    const waiting: Buffer[] = []
    connection.dgramPurgeOutgoing((message) => waiting.push(Buffer.from(message)) > 0)
    const bytes = Buffer.alloc(Math.max(5, size - OVERHEAD_BYTES))
    bytes[0] = Kind.probe
    bytes.writeUInt32BE(id, 1)
    const queued = this.#send(bytes)
    if (queued) leave()
    // Stream data may have filled the packet.
    const left = queued && connection.dgramSendQueueLen() === 0
    connection.dgramPurgeOutgoing(() => true)
    for (const message of waiting) if (!this.#send(message)) this.#full += 1
    return left
  }

  /** Drops datagrams larger than the current packet size: they would block the queue. */
  purge(): void {
    const most = this.#host.mtu.size - OVERHEAD_BYTES
    this.#host.connection.dgramPurgeOutgoing((message) => {
      const large = message.length > most
      if (large && message[0] === Kind.message) this.#oversized += 1
      return large
    })
  }
}
