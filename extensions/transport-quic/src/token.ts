import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** Milliseconds a token is good for: a client that was asked to retry does it at once, or it is somebody else. */
const LIFE = 15_000

const HEAD = 5
const MAC = 16

/**
 * Tokens of stateless retries (RFC 9000 section 8.1.2): who sends one back has received it at the address that it is for.
 * `expires (4) | length (1) | original id | HMAC (16)`, the address and the id of the retry being signed too.
 */
export class Tokens {
  readonly #key = randomBytes(32)
  readonly #now: () => number

  /** @param now milliseconds since the epoch */
  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  issue(originalId: Uint8Array, retryId: Uint8Array, host: string, port: number): Buffer {
    const token = Buffer.alloc(HEAD + originalId.length + MAC)
    token.writeUInt32BE(Math.ceil((this.#now() + LIFE) / 1000))
    token[4] = originalId.length
    token.set(originalId, HEAD)
    const signed = HEAD + originalId.length
    token.set(this.#mac(token.subarray(0, signed), retryId, host, port), signed)
    return token
  }

  /** The original id that it was given for, or nothing if it is not ours, not for this address, or too old. */
  read(token: Uint8Array, retryId: Uint8Array, host: string, port: number): Buffer | undefined {
    const bytes = Buffer.from(token)
    const signed = bytes.length - MAC
    if (signed < HEAD || bytes[4] !== signed - HEAD) return undefined
    const mac = this.#mac(bytes.subarray(0, signed), retryId, host, port)
    if (!timingSafeEqual(mac, bytes.subarray(signed))) return undefined
    if (bytes.readUInt32BE(0) * 1000 < this.#now()) return undefined
    return bytes.subarray(HEAD, signed)
  }

  #mac(head: Buffer, retryId: Uint8Array, host: string, port: number): Buffer {
    const mac = createHmac('sha256', this.#key).update(head).update(retryId).update(`|${host}|${port}`)
    return mac.digest().subarray(0, MAC)
  }
}
