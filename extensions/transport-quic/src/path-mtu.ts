import { performance } from 'node:perf_hooks'
import { SMALLEST_PACKET } from './options.js'

/** What networks carry: Ethernet with IPv6 and IPv4, tunnels, mobile networks, the smallest IPv6. */
const USUAL = [9000 - 28, 1472, 1452, 1400, 1350, 1280, 1232]

/** Packets of one size that may be lost before it is taken for too large. */
const TRIES = 2

/** Milliseconds an answer may take. Longer than any round trip that is fit for use. */
const PATIENCE = 1000

/** Milliseconds after which a larger size is tried again, RFC 8899 section 5.1.1. */
const TRY_AGAIN = 600_000

/** Milliseconds after a size stopped getting through. */
const CALM = 60_000

/** A probe to be sent now. */
export interface Probe {
  readonly id: number
  readonly size: number
}

/**
 * The largest packet that gets through, found by asking (RFC 8899): a message of a size is sent, and answered by a small
 * one. quiche 0.18 does not look for it by itself, but makes packets no larger than the memory it is given.
 */
export class PathMtu {
  /** Bytes of the largest UDP payload to send. */
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
    this.#sizes = [...new Set([largest, ...USUAL])].filter((size) => size <= largest && size > SMALLEST_PACKET)
    this.#changed = changed
  }

  /** What to probe now, if anything. */
  probe(): Probe | undefined {
    if (this.#timer !== undefined) return undefined
    if (performance.now() >= this.#again) this.#begin()
    const size = this.#sizes[this.#next]
    return size === undefined || size <= this.size ? undefined : { id: this.#id + 1, size }
  }

  /** It was sent, in a packet of so many bytes. */
  sent({ id }: Probe, bytes: number): void {
    this.#id = id
    this.#sent = bytes
    this.#timer = setTimeout(() => this.#lost(), PATIENCE).unref()
  }

  answered(id: number): void {
    if (this.#timer === undefined || id !== this.#id) return
    this.#stop()
    this.size = Math.max(this.size, this.#sent)
    this.#again = this.#next === 0 ? Number.POSITIVE_INFINITY : performance.now() + TRY_AGAIN
    this.#next = this.#sizes.length
  }

  /** The path is another one. */
  reset(): void {
    this.size = SMALLEST_PACKET
    this.#begin()
  }

  /** Nothing gets through any more: it may be the size. */
  shrink(): void {
    if (this.size === SMALLEST_PACKET) return
    this.stop()
    this.size = SMALLEST_PACKET
    this.#again = performance.now() + CALM
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
    if (this.#tries === TRIES) {
      this.#tries = 0
      this.#next += 1
      if (this.#next === this.#sizes.length) this.#again = performance.now() + TRY_AGAIN
    }
    this.#changed()
  }
}
