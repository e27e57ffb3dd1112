import { performance } from 'node:perf_hooks'
import { SMALLEST_PACKET } from './options.js'

/** Common packet sizes: Ethernet with IPv6 and IPv4, tunnels, mobile networks, the IPv6 minimum. */
const COMMON_SIZES = [9000 - 28, 1472, 1452, 1400, 1350, 1280, 1232]

/** Lost probes of one size after which it is taken for too large. */
const MAX_LOST = 2

/** Time until a probe counts as lost, longer than any usable round trip. */
const PROBE_TIMEOUT_MS = 1000

/** Time after which larger sizes are probed again, RFC 8899 section 5.1.1. */
const RAISE_INTERVAL_MS = 600_000

/** Time after a black hole until larger sizes are probed again. */
const BLACK_HOLE_MS = 60_000

/** A probe to send. */
export interface Probe {
  readonly id: number
  readonly size: number
}

/**
 * Path MTU discovery by probes (RFC 8899): a datagram of the size is answered by a small one. quiche 0.18 has no
 * discovery, but makes packets no larger than the memory it gets.
 */
export class PathMtu {
  /** Largest UDP payload to send. */
  size = SMALLEST_PACKET
  readonly #sizes: readonly number[]
  readonly #changed: () => void
  #next = 0
  #tries = 0
  #id = 0
  #sent = 0
  #timer: NodeJS.Timeout | undefined
  #again = Number.POSITIVE_INFINITY

  /** @param changed called when there may be something to probe again */
  constructor(largest: number, changed: () => void) {
    this.#sizes = [...new Set([largest, ...COMMON_SIZES])].filter((size) => size <= largest && size > SMALLEST_PACKET)
    this.#changed = changed
  }

  /** The probe to send now, if any. */
  probe(): Probe | undefined {
    if (this.#timer !== undefined) return undefined
    if (performance.now() >= this.#again) this.#begin()
    const size = this.#sizes[this.#next]
    return size === undefined || size <= this.size ? undefined : { id: this.#id + 1, size }
  }

  /** The probe was sent in a packet of `bytes`. */
  sent({ id }: Probe, bytes: number): void {
    this.#id = id
    this.#sent = bytes
    this.#timer = setTimeout(() => this.#lost(), PROBE_TIMEOUT_MS).unref()
  }

  answered(id: number): void {
    if (this.#timer === undefined || id !== this.#id) return
    this.#stop()
    this.size = Math.max(this.size, this.#sent)
    this.#again = this.#next === 0 ? Number.POSITIVE_INFINITY : performance.now() + RAISE_INTERVAL_MS
    this.#next = this.#sizes.length
  }

  /** The path has changed. */
  reset(): void {
    this.size = SMALLEST_PACKET
    this.#begin()
  }

  /** No packet is acknowledged any more: the size may be the reason. */
  shrink(): void {
    if (this.size === SMALLEST_PACKET) return
    this.stop()
    this.size = SMALLEST_PACKET
    this.#again = performance.now() + BLACK_HOLE_MS
  }

  stop(): void {
    this.#stop()
    this.#next = this.#sizes.length
    this.#again = Number.POSITIVE_INFINITY
  }

  #begin(): void {
    this.#stop()
    this.#next = 0
    this.#tries = 0
    this.#again = Number.POSITIVE_INFINITY
  }

  #stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #lost(): void {
    this.#stop()
    this.#tries += 1
    if (this.#tries === MAX_LOST) {
      this.#tries = 0
      this.#next += 1
      if (this.#next === this.#sizes.length) this.#again = performance.now() + RAISE_INTERVAL_MS
    }
    this.#changed()
  }
}
