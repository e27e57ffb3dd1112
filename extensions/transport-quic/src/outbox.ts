import type { HostPort, QuicheConnection } from './binding.js'
import type { Datagrams } from './datagrams.js'
import type { LinkHost } from './link-host.js'
import type { PathMtu } from './path-mtu.js'

/** Packets of one link while others wait. */
const QUANTUM = 64

/** What quiche may use less of a packet than it was given: its packet numbers are of one to four bytes. */
const SLACK = 8

/** Takes packets out of quiche, and sends them. */
export class Outbox {
  readonly #of: { readonly connection: QuicheConnection; readonly mtu: PathMtu; readonly datagrams: Datagrams }
  readonly #host: LinkHost

  constructor(of: { connection: QuicheConnection; mtu: PathMtu; datagrams: Datagrams }, host: LinkHost) {
    this.#of = of
    this.#host = host
  }

  /** @returns whether there may be more. @param watch whether the failure of any packet matters, not only of the first */
  send(to: HostPort, watch: boolean): boolean {
    const { connection, mtu } = this.#of
    for (let count = 0; count < QUANTUM && !this.#host.blocked; count++) {
      const slot = this.#host.slot()
      const packet = slot.length === mtu.size ? slot : slot.subarray(0, mtu.size)
      const sent = connection.send(packet)
      if (sent === null) return false
      this.#host.send(packet, sent[0], to, watch || count === 0)
    }
    return true
  }

  /** Asks whether larger packets get through, when there is nothing else to say. */
  probe(to: HostPort): void {
    const { connection, mtu, datagrams } = this.#of
    const probe = mtu.probe()
    if (probe === undefined || !datagrams.probe(probe)) return
    const packet = this.#host.slot().subarray(0, probe.size)
    const sent = connection.send(packet)
    if (sent !== null) this.#host.send(packet, sent[0], to, false)
    // Less was sent than was asked for: there was no room in the window. Another time.
    if (sent === null || sent[0] < probe.size - SLACK) datagrams.purge()
    else mtu.sent(probe, sent[0])
  }
}
