import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Quiche } from './binding.js'
import type { HostedLink } from './link-host.js'
import { SMALLEST_PACKET } from './options.js'
import { type LongHeader, newId, readInitialToken, readLongHeader, VERSION, versionNegotiation } from './packet.js'

/** Lifetime of a retry token: a client retries at once. */
const TOKEN_LIFETIME_MS = 15_000

const TOKEN_HEAD_BYTES = 5
const MAC_BYTES = 16

/**
 * Tokens of stateless retries (RFC 9000 section 8.1.2): a client that returns one has received it at its address.
 * `expires (4) | length (1) | original id | HMAC (16)`; address and retry id are authenticated too.
 */
export class Tokens {
  readonly #key = randomBytes(32)
  readonly #now: () => number

  /** @param now milliseconds since the epoch */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  issue(originalId: Uint8Array, retryId: Uint8Array, host: string, port: number): Buffer {
    const token = Buffer.alloc(TOKEN_HEAD_BYTES + originalId.length + MAC_BYTES)
    token.writeUInt32BE(Math.ceil((this.#now() + TOKEN_LIFETIME_MS) / 1000))
    token[4] = originalId.length
    token.set(originalId, TOKEN_HEAD_BYTES)
    const signed = TOKEN_HEAD_BYTES + originalId.length
    token.set(this.#mac(token.subarray(0, signed), retryId, host, port), signed)
    return token
  }

  /** The original id of the token; `undefined` for foreign, misplaced and expired tokens. */
  read(token: Uint8Array, retryId: Uint8Array, host: string, port: number): Buffer | undefined {
    const bytes = Buffer.from(token)
    const signed = bytes.length - MAC_BYTES
    if (signed < TOKEN_HEAD_BYTES || bytes[4] !== signed - TOKEN_HEAD_BYTES) return undefined
    const mac = this.#mac(bytes.subarray(0, signed), retryId, host, port)
    if (!timingSafeEqual(mac, bytes.subarray(signed))) return undefined
    if (bytes.readUInt32BE(0) * 1000 < this.#now()) return undefined
    return bytes.subarray(TOKEN_HEAD_BYTES, signed)
  }

  #mac(head: Buffer, retryId: Uint8Array, host: string, port: number): Buffer {
    const mac = createHmac('sha256', this.#key).update(head).update(retryId).update(`|${host}|${port}`)
    return mac.digest().subarray(0, MAC_BYTES)
  }
}

/** Share of all handshakes that one address may have. */
const HOST_SHARE = 4

/** Version negotiation packets per second. Clients of Rystra need none. */
const MAX_NEGOTIATIONS = 100

/** Permission to start a handshake. */
export interface Admission {
  /** The connection id of the retry; `null` without retry. */
  readonly retryId: Uint8Array | null
  readonly originalId: Uint8Array | null
}

export interface GateOptions {
  readonly retryAbove: number
  readonly maxHandshakes: number
  /** Sends a packet. */
  reply(packet: Buffer, host: string, port: number): void
}

/** Counts events per second. */
class PerSecond {
  #begin = 0
  #count = 0

  get count(): number {
    return performance.now() - this.#begin < 1000 ? this.#count : 0
  }

  add(): number {
    const now = performance.now()
    if (now - this.#begin >= 1000) {
      this.#begin = now
      this.#count = 0
    }
    this.#count += 1
    return this.#count
  }
}

/**
 * Decides which packets may start a handshake. A refused packet costs microseconds, no memory, and an answer no larger
 * than itself.
 */
export class Gate {
  readonly #quiche: Quiche
  readonly #options: GateOptions
  readonly #tokens: Tokens
  readonly #handshakes = new Map<HostedLink, string>()
  readonly #hosts = new Map<string, number>()
  readonly #failures = new PerSecond()
  readonly #replies = new PerSecond()
  readonly #reply = Buffer.alloc(SMALLEST_PACKET)

  constructor(quiche: Quiche, options: GateOptions, tokens = new Tokens()) {
    this.#quiche = quiche
    this.#options = options
    this.#tokens = tokens
  }

  /** Handshakes in progress. */
  get handshakes(): number {
    return this.#handshakes.size
  }

  /**
   * Answers or drops a packet of an unknown connection, or admits its sender to a handshake. Packets are parsed here,
   * not by quiche, which only seals the answer of a retry.
   */
  decide(packet: Buffer, host: string, port: number): Admission | undefined {
    // The first packet of a client is never smaller, RFC 9000 section 14.1.
    if (packet.length < SMALLEST_PACKET) return undefined
    const header = readLongHeader(packet)
    if (header === undefined || header.version === 0) return undefined
    if (header.version !== VERSION) {
      if (this.#replies.add() <= MAX_NEGOTIATIONS) this.#options.reply(versionNegotiation(header), host, port)
      return undefined
    }
    const token = readInitialToken(packet, header)
    if (token === undefined) return undefined
    const { retryAbove, maxHandshakes } = this.#options
    const ofHost = this.#hosts.get(host) ?? 0
    if (this.#handshakes.size >= maxHandshakes || ofHost >= Math.ceil(maxHandshakes / HOST_SHARE)) return undefined
    // An invalid or expired token counts as none, RFC 9000 section 8.1.3.
    const originalId = token.length === 0 ? undefined : this.#tokens.read(token, header.dcid, host, port)
    if (originalId !== undefined) return { retryId: header.dcid, originalId }
    if (this.#handshakes.size < retryAbove && this.#failures.count < Math.max(1, retryAbove)) {
      return { retryId: null, originalId: null }
    }
    this.#retry(header, host, port)
    return undefined
  }

  /** Registers a handshake. */
  enter(link: HostedLink, host: string): void {
    this.#handshakes.set(link, host)
    this.#hosts.set(host, (this.#hosts.get(host) ?? 0) + 1)
  }

  /** Removes a handshake. Failed ones count towards `retryAbove`. */
  leave(link: HostedLink, completed: boolean): void {
    const host = this.#handshakes.get(link)
    if (host === undefined) return
    this.#handshakes.delete(link)
    const left = (this.#hosts.get(host) ?? 1) - 1
    if (left === 0) this.#hosts.delete(host)
    else this.#hosts.set(host, left)
    if (!completed) this.#failures.add()
  }

  #retry({ scid, dcid, version }: LongHeader, host: string, port: number): void {
    const retryId = newId()
    const token = this.#tokens.issue(dcid, retryId, host, port)
    const length = this.#quiche.retry(scid, dcid, retryId, token, version, this.#reply)
    this.#options.reply(this.#reply.subarray(0, length), host, port)
  }
}
