import { createHmac, timingSafeEqual } from 'node:crypto'
import { encode } from './codec.js'
import { REPLAY_WINDOW } from './limits.js'
import type { DataHello } from './messages.js'
import { preface } from './preface.js'

const label = 'rystra data link'

/**
 * What shows that a link belongs to a session: HMAC-SHA256 with the secret of the session over
 * `"rystra data link" ‖ session (UTF-8) ‖ counter (u64, big-endian)`, and a byte 1 behind it when the client opens.
 */
export const dataLinkProof = (secret: Uint8Array, session: string, counter: number, opens = false): Uint8Array => {
  const number = Buffer.alloc(opens ? 9 : 8, 1)
  number.writeBigUInt64BE(BigInt(counter))
  return new Uint8Array(createHmac('sha256', secret).update(label).update(session, 'utf8').update(number).digest())
}

/**
 * The first bytes of a data link: preface and DataHello. Each counter may be used once in a session.
 * @param opens The client is about to open a stream on it; otherwise the server may, when it needs one.
 */
export const dataLinkOpening = (secret: Uint8Array, session: string, counter: number, opens = false): Uint8Array => {
  const proof = dataLinkProof(secret, session, counter, opens)
  const hello: DataHello = { type: 'DataHello', session, counter, proof, ...(opens ? { opens } : {}) }
  return Buffer.concat([preface, encode(hello)])
}

/** Whether the proof of a DataHello holds, in constant time. Ask {@link ReplayWindow} only afterwards. */
export const verifyDataLink = (secret: Uint8Array, { session, counter, proof, opens }: DataHello): boolean => {
  const expected = dataLinkProof(secret, session, counter, opens)
  return proof.length === expected.length && timingSafeEqual(proof, expected)
}

/**
 * Remembers which counters of data links were used: links overtake each other on the way, so not the highest alone.
 * Counters more than the window below the highest are refused as well.
 */
export class ReplayWindow {
  /** Made with the first counter: most sessions have no further link. */
  private seen: Uint8Array | undefined
  private highest = -1

  /** @param size How many counters are remembered. @default 1024 */
  constructor(private readonly size: number = REPLAY_WINDOW) {}

  /** Whether a counter comes for the first time; it is used up then. Only for counters whose proof holds. */
  accept(counter: number): boolean {
    if (!Number.isSafeInteger(counter) || counter < 0 || counter <= this.highest - this.size) return false
    this.seen ??= new Uint8Array(this.size)
    if (counter > this.highest) this.slide(this.seen, counter)
    const slot = counter % this.size
    if (this.seen[slot] === 1) return false
    this.seen[slot] = 1
    return true
  }

  private slide(seen: Uint8Array, counter: number): void {
    if (counter - this.highest >= this.size) seen.fill(0)
    else for (let passed = this.highest + 1; passed <= counter; passed++) seen[passed % this.size] = 0
    this.highest = counter
  }
}
