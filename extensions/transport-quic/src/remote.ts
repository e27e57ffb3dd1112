import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { HostPort } from './binding.js'

/** Magic of an address probe. QUIC's fixed bit is not set, so it is no QUIC packet, RFC 9000 section 17. */
const PROBE_MAGIC = Buffer.from('\x00RYSTRA?', 'latin1')

/** Size of the token that only the receiver at the address knows. */
const TOKEN_BYTES = 8

/** Time between two probes of a link, and the lifetime of a probe. */
const PROBE_INTERVAL_MS = 50
const PROBE_LIFETIME_MS = 10_000

interface Candidate {
  readonly address: HostPort
  readonly token: Buffer
  readonly since: number
  probedAt: number
}

/** The token of an address probe; `undefined` for other packets. */
export const probeToken = (packet: Buffer): Buffer | undefined =>
  packet.length === PROBE_MAGIC.length + TOKEN_BYTES && packet.subarray(0, PROBE_MAGIC.length).equals(PROBE_MAGIC)
    ? packet.subarray(PROBE_MAGIC.length)
    : undefined

/**
 * The address of the peer. quiche 0.18 loses packets in flight on the previous path (its loss recovery is per path, and
 * an abandoned one sends nothing), so it is never told about address changes. Instead a peer that proves to receive at
 * a new address is sent to there, as in RFC 9000 section 9.3. The probe is in plain text; its answer comes encrypted
 * from the new address.
 */
export class Remote {
  address: HostPort
  #candidate: Candidate | undefined

  constructor(address: HostPort) {
    this.address = address
  }

  is(host: string, port: number): boolean {
    return this.address.port === port && this.address.host === host
  }

  /**
   * A valid packet arrived from another address. @returns the probe to send there, if any: no larger than the packet
   */
  probe(host: string, port: number): Buffer | undefined {
    const now = performance.now()
    let candidate = this.#candidate
    const known = candidate?.address.host === host && candidate.address.port === port
    if (candidate === undefined || !known || now - candidate.since > PROBE_LIFETIME_MS) {
      // A recent candidate keeps its time: two senders cannot prevent each other's answers.
      if (candidate !== undefined && !known && now - candidate.probedAt < PROBE_INTERVAL_MS) return undefined
      candidate = { address: { host, port }, token: randomBytes(TOKEN_BYTES), since: now, probedAt: 0 }
      this.#candidate = candidate
    }
    if (now - candidate.probedAt < PROBE_INTERVAL_MS) return undefined
    candidate.probedAt = now
    return Buffer.concat([PROBE_MAGIC, candidate.token])
  }

  /** An answer arrived. @returns whether the address changed */
  answered(token: Uint8Array, from: HostPort): boolean {
    const candidate = this.#candidate
    if (candidate === undefined || !candidate.token.equals(token)) return false
    if (candidate.address.host !== from.host || candidate.address.port !== from.port) return false
    this.address = candidate.address
    this.#candidate = undefined
    return true
  }
}
