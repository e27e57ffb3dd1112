import { performance } from 'node:perf_hooks'
import { INITIAL, type Quiche, type QuicheHeader, VERSION } from './binding.js'
import { newId } from './ids.js'
import { SMALLEST_PACKET } from './options.js'
import type { QuicLink } from './link.js'
import { Tokens } from './token.js'

/** One address may have this part of all handshakes. */
const PART = 4

/** Strangers in a second that are told which versions there are. There is only one client, so that is for diagnosis. */
const REPLIES = 100

/** Ids of QUIC, RFC 9000 section 17.2. The first one of a client has 8 bytes at least. */
const LONGEST_ID = 20
const SHORTEST_FIRST_ID = 8

/** Somebody may come in. */
export interface Admission {
  /** The id with which it was asked to retry. Nothing: it was not. */
  readonly retryId: Uint8Array | null
  readonly originalId: Uint8Array | null
}

export interface GateOptions {
  readonly retryAbove: number
  readonly maxHandshakes: number
  /** Sends what lies in the buffer. */
  reply(packet: Buffer, host: string, port: number): void
}

/** Counts events of the present second. */
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

/** Decides who may begin a handshake. Whoever may not costs a few microseconds, no memory, and no more bytes than it sent. */
export class Gate {
  readonly #quiche: Quiche
  readonly #options: GateOptions
  readonly #tokens: Tokens
  readonly #handshakes = new Map<QuicLink, string>()
  readonly #addresses = new Map<string, number>()
  readonly #failures = new PerSecond()
  readonly #replies = new PerSecond()
  readonly #reply = Buffer.alloc(SMALLEST_PACKET)

  constructor(quiche: Quiche, options: GateOptions, tokens = new Tokens()) {
    this.#quiche = quiche
    this.#options = options
    this.#tokens = tokens
  }

  /** Handshakes under way. */
  get handshakes(): number {
    return this.#handshakes.size
  }

  /** A packet that is for no link: answers it, or forgets it, or lets its sender in. */
  decide(packet: Buffer, host: string, port: number): Admission | undefined {
    // What is not a long header belongs to a link that is gone. A first packet is never smaller.
    if (((packet[0] as number) & 0x80) === 0 || packet.length < SMALLEST_PACKET) return undefined
    const version = packet.readUInt32BE(1)
    if (version === 0) return undefined
    const header = this.#read(packet)
    if (header === undefined) return undefined
    if (version !== VERSION) {
      if (this.#replies.add() > REPLIES) return undefined
      this.#send(this.#quiche.negotiateVersion(header.scid, header.dcid, this.#reply), host, port)
      return undefined
    }
    if (header.ty !== INITIAL || header.dcid.length < SHORTEST_FIRST_ID) return undefined
    const { retryAbove, maxHandshakes } = this.#options
    const mine = this.#addresses.get(host) ?? 0
    if (this.#handshakes.size >= maxHandshakes || mine >= Math.ceil(maxHandshakes / PART)) return undefined
    const { token } = header
    if (token !== undefined && token !== null && token.length > 0) {
      const originalId = this.#tokens.read(token, header.dcid, host, port)
      // Somebody else's token, or an old one: as if there were none, RFC 9000 section 8.1.3.
      if (originalId !== undefined) return { retryId: header.dcid, originalId }
    }
    if (this.#handshakes.size < retryAbove && this.#failures.count < Math.max(1, retryAbove)) {
      return { retryId: null, originalId: null }
    }
    this.#retry(header, host, port)
    return undefined
  }

  /** A handshake begins. */
  enter(link: QuicLink, host: string): void {
    this.#handshakes.set(link, host)
    this.#addresses.set(host, (this.#addresses.get(host) ?? 0) + 1)
  }

  /** It is over, well or not. */
  leave(link: QuicLink, well: boolean): void {
    const host = this.#handshakes.get(link)
    if (host === undefined) return
    this.#handshakes.delete(link)
    const left = (this.#addresses.get(host) ?? 1) - 1
    if (left === 0) this.#addresses.delete(host)
    else this.#addresses.set(host, left)
    if (!well) this.#failures.add()
  }

  /** What came in was no handshake. */
  failed(): void {
    this.#failures.add()
  }

  #read(packet: Buffer): QuicheHeader | undefined {
    if ((packet[5] as number) > LONGEST_ID) return undefined
    try {
      return this.#quiche.Header.fromSlice(packet, LONGEST_ID)
    } catch {
      return undefined
    }
  }

  #retry({ scid, dcid, version }: QuicheHeader, host: string, port: number): void {
    const retryId = newId()
    const token = this.#tokens.issue(dcid, retryId, host, port)
    this.#send(this.#quiche.retry(scid, dcid, retryId, token, version, this.#reply), host, port)
  }

  #send(length: number, host: string, port: number): void {
    this.#options.reply(this.#reply.subarray(0, length), host, port)
  }
}
