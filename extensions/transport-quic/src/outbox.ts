import type { HostPort, QuicheConnection } from './binding.js'
import type { Datagrams } from './datagrams.js'
import type { PathMtu } from './path-mtu.js'

/** Packets that one link sends per turn. */
const MAX_PACKETS_PER_TURN = 64

/** Difference of a full packet to its slot: packet numbers have one to four bytes. */
const SLACK_BYTES = 8

/** Time until a probe without room is tried again. */
const PROBE_RETRY_MS = 20

/** Where packets go. */
export interface PacketSink {
  /** The kernel accepts no packets at the moment; the link is woken when it does again. */
  readonly blocked: boolean
  /** Memory for one packet, to be sent or given up before the next one. */
  slot(size: number): Buffer
  /** Sends a packet in a slot. Failures are reported only with `watch`. */
  send(slot: Buffer, length: number, to: HostPort, watch: boolean): void
}

/** The connection whose packets are sent. */
interface Sending {
  readonly connection: QuicheConnection
  readonly mtu: PathMtu
  readonly datagrams: Datagrams
  wake(): void
}

/** Sends the packets of a connection. */
export class Outbox {
  readonly #of: Sending
  readonly #sink: PacketSink
  #pausing = false

  constructor(of: Sending, sink: PacketSink) {
    this.#of = of
    this.#sink = sink
  }

  /**
   * @returns whether more may be pending. @param watch whether failures of all packets are reported, not only of the
   * first
   */
  send(to: HostPort, watch: boolean): boolean {
    const { connection, mtu } = this.#of
    for (let count = 0; count < MAX_PACKETS_PER_TURN && !this.#sink.blocked; count++) {
      const packet = this.#sink.slot(mtu.size)
      const sent = connection.send(packet)
      if (sent === null) return false
      this.#sink.send(packet, sent[0], to, watch || count === 0)
    }
    return true
  }

  /** Probes a larger packet size. Called before other packets are sent: on a busy link there is no room afterwards. */
  probe(to: HostPort): void {
    const { connection, mtu, datagrams } = this.#of
    const probe = mtu.probe()
    if (probe === undefined || this.#pausing) return
    const packet = this.#sink.slot(probe.size)
    let bytes = 0
    const left = datagrams.probe(probe, () => {
      const sent = connection.send(packet)
      if (sent === null) return
      bytes = sent[0]
      this.#sink.send(packet, bytes, to, false)
    })
    if (left && bytes >= probe.size - SLACK_BYTES) mtu.sent(probe, bytes)
    else {
      // The congestion window was full, or other data took the packet.
      this.#pausing = true
      setTimeout(() => {
        this.#pausing = false
        this.#of.wake()
      }, PROBE_RETRY_MS).unref()
    }
  }
}
