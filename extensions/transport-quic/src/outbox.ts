import type { HostPort, QuicheConnection } from './binding.js'
import type { Datagrams } from './datagrams.js'
import type { LinkHost } from './link-host.js'
import type { PathMtu } from './path-mtu.js'

/** Packets of one link while others wait. */
const QUANTUM = 64

/** What quiche may use less of a packet than it was given: its packet numbers are of one to four bytes. */
const SLACK = 8

/** Milliseconds until a probe for which there was no room is tried again. */
const PAUSE = 20

/** Whose packets they are. */
interface Sending {
  readonly connection: QuicheConnection
  readonly mtu: PathMtu
  readonly datagrams: Datagrams
  wake(): void
}

/** Takes packets out of quiche, and sends them. */
export class Outbox {
  readonly #of: Sending
  readonly #host: LinkHost
  #pausing = false

  constructor(of: Sending, host: LinkHost) {
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

  /** Asks whether larger packets get through. Before anything else is sent: on a busy link there is never room after it. */
  probe(to: HostPort): void {
    const { connection, mtu, datagrams } = this.#of
    const probe = mtu.probe()
    if (probe === undefined || this.#pausing) return
    const packet = this.#host.slot().subarray(0, probe.size)
    let bytes = 0
    const left = datagrams.probe(probe, () => {
      const sent = connection.send(packet)
      if (sent === null) return
      bytes = sent[0]
      this.#host.send(packet, bytes, to, false)
    })
    if (left && bytes >= probe.size - SLACK) mtu.sent(probe, bytes)
    else {
      // There was no room in the window, or something else had the packet. Another time.
      this.#pausing = true
      setTimeout(() => {
        this.#pausing = false
        this.#of.wake()
      }, PAUSE).unref()
    }
  }
}
