import { rpcError } from '../error.js'
import type { FrameSink } from '../frame/write.js'
import { FRAGMENT_HEAD_BYTES, fragment } from '../stream/fragments.js'
import { NewestQueue } from '../stream/newest-queue.js'
import type { Datagrams } from './port.js'
import type { WireSettings } from './wire-settings.js'
import { STREAM_CHUNK_BYTES, writeMessage } from './stream-frames.js'
import type { FrameWriter } from './writer.js'

/** A message that waits, encoded when it is sent. */
interface Waiting {
  readonly data: unknown
  readonly seq: number
  readonly time: number | undefined
}

/** First byte of a datagram that is a part of a frame: see SPEC.md 6. */
export const FRAGMENT = 0x14

/** Bytes in the stream's queue from which on the newest wait instead. */
const IN_FLIGHT_BYTES = 65_536

/** One frame in memory of its own. */
class Datagram implements FrameSink {
  buffer: Buffer = Buffer.alloc(0)

  begin(type: number, flags: number, id: number, size: number): number {
    this.buffer = Buffer.allocUnsafe(8 + size)
    this.buffer[0] = type
    this.buffer[1] = flags
    this.buffer.writeUInt16BE(size, 2)
    this.buffer.writeUInt32BE(id, 4)
    return 8
  }
}

/** Sends the messages of an unreliable stream: as datagrams, or on the stream itself while that takes them at once. */
export class UnreliableSender {
  readonly #id: number
  readonly #settings: WireSettings
  readonly #writer: FrameWriter
  readonly #fragment: boolean
  readonly #frame = new Datagram()
  readonly #newest = new NewestQueue<Waiting>()
  #datagrams: Datagrams | undefined
  #begun = false
  #stopped = false
  #fragments = 0
  #dropped = 0

  constructor(id: number, settings: WireSettings, writer: FrameWriter, fragments: boolean) {
    this.#id = id
    // One frame for each message, since parts of a message that is lost would be in the way.
    const maxMessageBytes = Math.min(settings.maxMessageBytes, STREAM_CHUNK_BYTES)
    this.#settings = { ...settings, maxMessageBytes }
    this.#writer = writer
    this.#fragment = fragments
  }

  /** Messages that were not sent. */
  get dropped(): number {
    return this.#dropped + this.#newest.dropped
  }

  /** The other side has accepted, with or without datagrams. */
  begin(datagrams: Datagrams | undefined): void {
    this.#datagrams = datagrams
    this.#begun = true
    this.flush()
  }

  /** Throws `rpc.invalid` and `rpc.too-large`. */
  send(data: unknown, seq: number, time: number | undefined): void {
    if (this.#begun && this.#datagrams !== undefined) this.#sendDatagram(this.#datagrams, { data, seq, time })
    else {
      const bytes = data instanceof Uint8Array ? data.length : 256
      this.#newest.push({ data, seq, time }, bytes, performance.now())
      if (this.#begun) this.flush()
    }
  }

  #sendDatagram(datagrams: Datagrams, { data, seq, time }: Waiting): void {
    writeMessage(this.#frame, this.#id, data, seq, time, this.#settings)
    const { buffer } = this.#frame
    if (buffer.length <= datagrams.maxSize) {
      if (!datagrams.send(buffer)) this.#dropped += 1
    } else if (this.#fragment && datagrams.maxSize > FRAGMENT_HEAD_BYTES + 1) this.#sendFragments(datagrams, buffer)
    else throw rpcError('rpc.too-large', `${buffer.length} bytes in a datagram of ${datagrams.maxSize}`)
  }

  #sendFragments(datagrams: Datagrams, frame: Buffer): void {
    for (const part of fragment(this.#fragments++, frame, datagrams.maxSize - 1)) {
      const datagram = Buffer.allocUnsafe(1 + part.length)
      datagram[0] = FRAGMENT
      part.copy(datagram, 1)
      if (!datagrams.send(datagram)) {
        // The rest is worth nothing without it.
        this.#dropped += 1
        return
      }
    }
  }

  /** Sends what waits, as far as it goes at once. */
  flush(): void {
    if (!this.#begun || this.#stopped) return
    while (this.#datagrams !== undefined || (!this.#writer.blocked && this.#writer.queued < IN_FLIGHT_BYTES)) {
      const next = this.#newest.shift(performance.now())
      if (next === undefined) return
      try {
        if (this.#datagrams !== undefined) this.#sendDatagram(this.#datagrams, next)
        else writeMessage(this.#writer, this.#id, next.data, next.seq, next.time, this.#settings)
      } catch {
        this.#dropped += 1
      }
    }
  }

  stop(): void {
    this.#stopped = true
  }
}
