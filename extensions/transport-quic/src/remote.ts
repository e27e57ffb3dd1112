import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { HostPort } from './binding.js'

/** First bytes of a question about an address. QUIC's fixed bit is not set, so it is no packet of QUIC, RFC 9000 section 17. */
const QUESTION = Buffer.from('\x00RYSTRA?', 'latin1')

/** Bytes that only who receives there can know. */
const TOKEN = 8

/** Milliseconds between two questions to one link's new address, and for which one may be answered. */
const BETWEEN = 50
const LIFE = 10_000

interface Candidate {
  readonly address: HostPort
  readonly token: Buffer
  readonly since: number
  asked: number
}

/** The token of a question, if a packet is one. */
export const questionOf = (packet: Buffer): Buffer | undefined =>
  packet.length === QUESTION.length + TOKEN && packet.subarray(0, QUESTION.length).equals(QUESTION)
    ? packet.subarray(QUESTION.length)
    : undefined

/**
 * Where the other end is. quiche 0.18 forgets what was on its way on the path before (its loss recovery is per path, and
 * nothing is sent for one that is left), so it never learns that an address has changed. This does instead: whoever
 * proves to receive at a new address is sent to there from then on, as in RFC 9000 section 9.3. The question is readable, the answer
 * comes encrypted, from the new address.
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

  /** A good packet came from somewhere else. @returns what to send there, if anything: no more than has come */
  question(host: string, port: number): Buffer | undefined {
    const now = performance.now()
    let candidate = this.#candidate
    const known = candidate?.address.host === host && candidate.address.port === port
    if (candidate === undefined || !known || now - candidate.since > LIFE) {
      // One that was asked a moment ago is left its time: two senders cannot keep each other from answering.
      if (candidate !== undefined && !known && now - candidate.asked < BETWEEN) return undefined
      candidate = { address: { host, port }, token: randomBytes(TOKEN), since: now, asked: 0 }
      this.#candidate = candidate
    }
    if (now - candidate.asked < BETWEEN) return undefined
    candidate.asked = now
    return Buffer.concat([QUESTION, candidate.token])
  }

  /** An answer came from there. @returns whether it is the address from now on */
  answered(token: Uint8Array, from: HostPort): boolean {
    const candidate = this.#candidate
    if (candidate === undefined || !candidate.token.equals(token)) return false
    if (candidate.address.host !== from.host || candidate.address.port !== from.port) return false
    this.address = candidate.address
    this.#candidate = undefined
    return true
  }
}
