import { duplexPair } from '@rystra/testkit'
import type { Duplex } from 'node:stream'
import type { YamuxOptions } from '../src/options.js'
import type { YamuxSession } from '../src/session.js'
import { session, until } from './ends.js'

/** Written from the specification, and not with the code under test. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly id: number
  readonly length: number
  readonly payload: Buffer
}

export const DATA = 0
export const UPDATE = 1
export const PING = 2
export const GO_AWAY = 3
export const SYN = 1
export const ACK = 2
export const FIN = 4
export const RST = 8

export const frame = (type: number, flags: number, id: number, length: number, payload?: Buffer): Buffer => {
  const header = Buffer.alloc(12)
  header.writeUInt8(type, 1)
  header.writeUInt16BE(flags, 2)
  header.writeUInt32BE(id, 4)
  header.writeUInt32BE(length, 8)
  return payload === undefined ? header : Buffer.concat([header, payload])
}

export const data = (id: number, payload: Buffer | string, flags = 0): Buffer =>
  frame(DATA, flags, id, Buffer.byteLength(payload), Buffer.from(payload))

/** A peer made by hand, that can do what no engine does. */
export class Peer {
  readonly frames: Frame[] = []
  ended = false
  closed = false
  readonly #duplex: Duplex
  #bytes = Buffer.alloc(0)

  constructor(duplex: Duplex, reading = true) {
    this.#duplex = duplex
    duplex.on('error', () => {})
    duplex.on('end', () => {
      this.ended = true
      duplex.end()
    })
    duplex.on('close', () => {
      this.closed = true
    })
    if (reading) this.read()
  }

  read(): void {
    this.#duplex.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      while (this.#bytes.length >= 12) {
        const type = this.#bytes.readUInt8(1)
        const length = this.#bytes.readUInt32BE(8)
        const whole = 12 + (type === DATA ? length : 0)
        if (this.#bytes.length < whole) return
        this.frames.push({
          type,
          flags: this.#bytes.readUInt16BE(2),
          id: this.#bytes.readUInt32BE(4),
          length,
          payload: this.#bytes.subarray(12, whole)
        })
        this.#bytes = this.#bytes.subarray(whole)
      }
    })
  }

  write(...bytes: Buffer[]): void {
    this.#duplex.write(Buffer.concat(bytes))
  }

  end(): void {
    this.#duplex.end()
  }

  cut(): void {
    this.#duplex.destroy()
  }

  of(type: number, id?: number): Frame[] {
    return this.frames.filter((each) => each.type === type && (id === undefined || each.id === id))
  }

  has(type: number, flags: number, id: number): boolean {
    return this.of(type, id).some((each) => (each.flags & flags) === flags)
  }

  /** Waits until everything written before has been understood. */
  async settled(): Promise<void> {
    const value = 0x5e77_1ed0
    const before = this.of(PING).length
    this.write(frame(PING, SYN, 0, value))
    await until(
      () =>
        this.of(PING)
          .slice(before)
          .some(({ length }) => length === value),
      'the answer to a ping'
    )
  }
}

/** A session, and a peer made by hand at its other end. */
export const withPeer = (
  side: 'client' | 'server' = 'server',
  options: Partial<YamuxOptions> = {},
  firstId?: number
): { mux: YamuxSession; peer: Peer; closed: { error?: Error; times: number } } => {
  const [near, far] = duplexPair()
  const mux = session(near, side, options, firstId)
  const closed: { error?: Error; times: number } = { times: 0 }
  mux.onClose = (error) => {
    closed.error = error
    closed.times += 1
  }
  return { mux, peer: new Peer(far), closed }
}

export const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code
