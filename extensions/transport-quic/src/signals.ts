import type { Side } from '@rystra/plugin'
import type { QuicheConnection } from './binding.js'

/** A message about streams. */
export type Signal =
  | { readonly kind: 'away' }
  /** The stream `id` ends after `size` bytes. */
  | { readonly kind: 'end'; readonly id: number; readonly size: number }
  /** The stream `id`, which the peer has ended, is reset. */
  | { readonly kind: 'reset'; readonly id: number }

const Kind = { away: 0, end: 1, reset: 2 } as const

/** `kind (1) | id (6) | size (6)` */
const LENGTH = 13

/** Size of one read. */
const ROOM = LENGTH * 256

export interface SignalHost {
  readonly connection: QuicheConnection
  readonly side: Side
  wake(): void
}

/**
 * A unidirectional stream of each end for what QUIC cannot express, or quiche 0.18 not reliably:
 * - that no more streams are accepted (HTTP/3 has a frame for it);
 * - that a stream ends. quiche forgets a stream that the peer has ended and whose data is acknowledged, also if its own
 * end was not sent or was lost: the peer would wait forever. An end sent with data is safe; a separate one is repeated
 * here, as is a reset after the end of the peer.
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

  /** quiche may accept more data. */
  write(): void {
    if (this.#queue.length === 0) return
    const bytes = Buffer.concat(this.#queue)
    let taken = 0
    try {
      taken = this.#host.connection.streamSend(this.#id, bytes, false) ?? 0
    } catch {
      // The peer allows no such stream.
      taken = bytes.length
    }
    this.#queue = taken < bytes.length ? [bytes.subarray(taken)] : []
  }

  /** Reads a unidirectional stream. */
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
