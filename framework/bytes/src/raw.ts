import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Bytes that are left free in front of lent memory where that costs nothing: the headers of a muxer and a transport. */
export const HEADROOM = 32

/** The answer of a reader that keeps the memory lent to it. */
export const KEEP = 'keep'

/** What a reader says of bytes given to it, see {@link RawReader.onBytes}. */
export type Verdict = boolean | typeof KEEP

/** What a {@link RawStream} tells its reader. All of it is called synchronously, from the turn in which it happened. */
export interface RawReader {
  /**
   * Bytes came: `buffer[start, end)`, never empty.
   *
   * `shared` says whose memory it is. If true, it is valid only until this call returns: copy what is to be kept. If
   * false, it is lent, and the answer says for how long:
   * - `true`: the reader is done with it, the next bytes may overwrite it at once;
   * - `false`: the reader still needs it. The source stops and leaves the memory alone until {@link RawStream.resume};
   * - {@link KEEP}: the memory is the reader's now, the source goes on with other memory. Give it back with
   *   `releaseSlab(buffer)`, or let it be collected.
   * With shared memory `false` means only "stop until resume", and `KEEP` must not be answered.
   */
  onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict
  /** The other side will send no more (FIN). Called once, after the last byte. */
  onEnd(): void
}

/** A descriptor that was handed out by {@link RawStream.detach}. The stream neither reads nor writes until it is over. */
export interface Detached {
  /** Of a socket in non-blocking mode. Still open in this process: duplicate it, or use it until {@link over}. */
  readonly fd: number
  /** Bytes that were read from it and belong in front of what is read from it next. */
  readonly pending: Buffer
  /** The TLS socket whose ciphertext it carries; `undefined` where it carries the bytes of the stream. */
  readonly tls?: Socket | undefined
  /** Done with it: closes it, and the stream, without a FIN or RST of its own where a duplicate is open. */
  over(error?: Error): void
  /** Nothing was read or written: the stream goes on as before. */
  attach(): void
  /**
   * The descriptor is the caller's from now on: {@link over} no longer closes it. Absent where another part of the process
   * would close it too.
   */
  readonly give?: (() => void) | undefined
}

/** Bytes that have passed since a stream was offloaded. */
export interface Offloaded {
  readonly written: number
  readonly received: number
}

/**
 * A stream of bytes without Node's queues in between: what the byte path of a tunnel is made of. Every `Duplex` has
 * one, see `rawOf`; a bare socket and the streams of our muxers have a fast one.
 *
 * Once the raw stream is read or written, the `Duplex` face of the same stream must be left alone.
 */
export interface RawStream {
  /**
   * Takes all of `buffer[start, end)`, always. With `shared` memory it copies what it cannot send at once. Otherwise it
   * may also overwrite up to {@link HEADROOM} bytes in front of `start`, so that a header can be put there in place; who
   * has something in front of a chunk hands over a `subarray` whose `start` is 0.
   * @returns `true`: the memory is free again and more may be written. `false`: leave lent memory alone, and write no
   * more, until {@link onWritable} is called.
   */
  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean

  /** Called when a write that answered `false` is through. */
  onWritable: (() => void) | undefined

  /** No more will be written: the other side sees an end (FIN) after the last byte. */
  end(): void

  /** Starts reading, or hands the rest of the stream to another reader. Goes on at once, whatever the one before said. */
  read(reader: RawReader): void

  /** Puts bytes back: the next reader gets them first. They must stay as they are until then. */
  unread(bytes: Buffer): void

  /** Goes on after `onBytes` answered `false`, or after {@link pause}. */
  resume(): void

  /** Stops reading after the present chunk. */
  pause(): void

  /**
   * Notices a reset although there is no reader yet, by reading some of it ahead. Absent where a reset is noticed anyway.
   */
  watch?(): void

  /** Gives the stream up both ways at once: the other side sees a reset (RST), never a clean end. */
  reset(): void

  /**
   * Called once, when nothing more will happen: both directions ended, or the stream was reset by either side.
   * `error` is present unless it closed cleanly.
   */
  onClose: ((error?: Error) => void) | undefined

  /**
   * Hands the descriptor out, for a relay that moves bytes outside of Node. Absent without a descriptor; `undefined` when
   * it cannot be handed out now: the stream is closed, or has bytes to send.
   *
   * @param tls also the one below TLS, see {@link Detached.tls}: for a relay that does what TLS does
   */
  readonly detach?: ((tls?: boolean) => Detached | undefined) | undefined

  /**
   * Moves bytes between this stream and a socket outside of JavaScript from now on, until both are over; ends and resets
   * travel as before, and both report their close. Absent where there is no such way; `undefined` when it cannot be now.
   * To be called outside of the calls of either stream, while no write waits. `head` is sent first, and not counted.
   */
  readonly offload?: ((socket: Detached, head?: Buffer) => Offloaded | undefined) | undefined

  /** Whether the stream is over, so that {@link onClose} will not be called any more. */
  readonly closed: boolean
}

const rawSymbol = Symbol.for('rystra.raw')

/** A `Duplex` that brings a raw stream of its own, as the streams of our muxers do. */
export interface HasRaw {
  readonly [rawSymbol]: RawStream
}

/** The property under which a `Duplex` carries its own {@link RawStream}. */
export const raw: typeof rawSymbol = rawSymbol

/** Whether a `Duplex` brings its own. */
export const hasRaw = (stream: Duplex): stream is Duplex & HasRaw => rawSymbol in stream
