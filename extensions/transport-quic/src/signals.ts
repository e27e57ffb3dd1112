import type { Side } from '@rystra/plugin'
import type { QuicheConnection } from './binding.js'

/** What one end tells the other about streams. */
export type Signal =
  | { readonly kind: 'away' }
  /** The stream `id` ends after `size` bytes. */
  | { readonly kind: 'end'; readonly id: number; readonly size: number }
  /** The stream `id`, which the other side has ended, is given up. */
  | { readonly kind: 'reset'; readonly id: number }

const Kind = { away: 0, end: 1, reset: 2 } as const

/** `kind (1) | id (6) | size (6)` */
const LENGTH = 13

/** Bytes of one read. */
const ROOM = LENGTH * 256

export interface SignalHost {
  readonly connection: QuicheConnection
  readonly side: Side
  wake(): void
}

/**
 * A stream in one direction from each end, for what QUIC has no words for, or quiche 0.18 no reliable ones:
 * - that no more streams are accepted (HTTP/3 has a frame for it);
 * - that a stream ends. quiche forgets a stream whose bytes are all acknowledged and which the other side has ended, also
 *   if its own end was not sent yet, or was lost: the other side would wait for it for ever. An end that goes with bytes
 *   is safe; one that goes alone is told here too. So is a reset after the end of the other side.
 */
export class Signals {
  readonly #host: SignalHost
  readonly #onSignal: (signal: Signal) => void
  readonly #id: number
  #queue: Buffer[] = []
  #rest = Buffer.alloc(0)

  constructor(host: SignalHost, onSignal: (signal: Signal) => void) {
    this.#host = host
    this.#onSignal = onSignal
    this.#id = host.side === 'client' ? 2 : 3
  }

  send(signal: Signal): void {
    const bytes = Buffer.alloc(LENGTH)
    bytes[0] = Kind[signal.kind]
    if (signal.kind !== 'away') bytes.writeUIntBE(signal.id, 1, 6)
    if (signal.kind === 'end') bytes.writeUIntBE(signal.size, 7, 6)
    this.#queue.push(bytes)
    this.write()
    this.#host.wake()
  }

  /** quiche may take more now. */
  write(): void {
    if (this.#queue.length === 0) return
    const bytes = Buffer.concat(this.#queue)
    let taken = 0
    try {
      taken = this.#host.connection.streamSend(this.#id, bytes, false) ?? 0
    } catch {
      // The other side allows no such stream: there is nobody to tell.
      taken = bytes.length
    }
    this.#queue = taken < bytes.length ? [bytes.subarray(taken)] : []
  }

  /** Something came on a stream in one direction. */
  read(id: number): void {
    const room = Buffer.alloc(ROOM)
    for (;;) {
      let got: [number, boolean] | null
      try {
        got = this.#host.connection.streamRecv(id, room)
      } catch {
        return
      }
      if (got === null || got[0] === 0) return
      this.#take(Buffer.concat([this.#rest, room.subarray(0, got[0])]))
    }
  }

  #take(bytes: Buffer): void {
    let at = 0
    for (; at + LENGTH <= bytes.length; at += LENGTH) {
      const id = bytes.readUIntBE(at + 1, 6)
      if (bytes[at] === Kind.away) this.#onSignal({ kind: 'away' })
      else if (bytes[at] === Kind.end) this.#onSignal({ kind: 'end', id, size: bytes.readUIntBE(at + 7, 6) })
      else if (bytes[at] === Kind.reset) this.#onSignal({ kind: 'reset', id })
    }
    this.#rest = Buffer.from(bytes.subarray(at))
  }
}
