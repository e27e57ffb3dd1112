import { type FacedStream, RawFace, type RawReader } from '@rystra/bytes'
import { RystraError } from '@rystra/plugin'
import http2 from 'node:http2'
import { ChunkReader, EMPTY_CHUNK, writeChunk } from './chunks.js'
import { Inbox } from './inbox.js'
import type { StreamHost } from './stream-host.js'
import { tapStream, whenFlushed } from './tap-stream.js'

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = http2.constants

/** Bytes of shared memory that may be copied and wait to be sent. */
const WRITE_LIMIT = 64 * 1024

/**
 * One stream of HTTP/2, two requests' worth of nothing: bytes in the bodies of request and response, END_STREAM as end,
 * RST_STREAM as reset. It stands in front of Node's stream, whose own queue would keep every frame by itself, and which
 * takes some resets for ends. Its {@link duplex} is the same stream for those who want Node's.
 */
export class Http2Stream implements FacedStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false
  readonly number: number
  readonly #h2: http2.Http2Stream
  readonly #host: StreamHost<Http2Stream>
  readonly #inbox: Inbox
  /** Has Node read, and so open the window again. */
  readonly #readOn: () => void
  readonly #end: () => unknown
  readonly #chunks: ChunkReader | undefined
  /** Nothing was written since the last check. */
  #silent = true
  #duplex: RawFace | undefined
  #reader: RawReader | undefined
  #paused = true
  #flowing = false
  #ended = false
  #endReported = false
  #endedHere = false
  #parked = false
  #writing = 0
  /** Written, and not handed over yet: the network takes no more. */
  readonly #held: Buffer[] = []
  #over = false
  #gone = false
  /** The link ends, for this reason. */
  #leaving: Error | undefined
  /** Why the link has ended before this side had ended the stream; reported once all is read. */
  #lost: Error | undefined

  constructor(h2: http2.Http2Stream, number: number, host: StreamHost<Http2Stream>) {
    this.number = number
    this.#h2 = h2
    this.#host = host
    this.#inbox = new Inbox(host.memory)
    this.#chunks = host.chunked ? new ChunkReader() : undefined
    const { readOn, end } = tapStream(h2, {
      onBytes: (bytes) => this.#arrived(bytes),
      onEnd: () => this.#endCame(),
      onClose: () => this.#h2Closed()
    })
    this.#readOn = readOn
    this.#end = end
    h2.resume()
  }

  get duplex(): RawFace {
    this.#duplex ??= new RawFace(this, { givesMemory: true })
    return this.#duplex
  }

  /** Bytes that wait to be read. */
  get waiting(): number {
    return this.#inbox.length
  }

  /** Bytes that were written and wait to be sent. */
  get queued(): number {
    return this.#held.reduce((sum, { length }) => sum + length, this.#h2.writableLength)
  }

  /** Bytes that the other end may send before this one reads on. */
  get window(): number {
    return this.#h2.state.localWindowSize ?? 0
  }

  /** Whether this side has said that it is done. */
  get endedHere(): boolean {
    return this.#endedHere || this.#duplex?.writableEnded === true
  }

  /** It waits to be opened by the server: whatever comes of the client before is against the rules. */
  set parked(parked: boolean) {
    this.#parked = parked
    if (parked && (this.#inbox.length > 0 || this.#ended)) this.reset()
  }

  /** Takes the bytes of a DATA frame. Returns whether more may be read. */
  #arrived(bytes: Buffer): boolean {
    if (this.#chunks === undefined) return this.#came(bytes)
    let more = !this.#paused && this.#inbox.length === 0
    this.#chunks.read(bytes, (part) => {
      more = this.#came(part)
    })
    return more
  }

  #came(bytes: Buffer): boolean {
    if (this.#over) return false
    if (this.#parked) {
      this.reset()
      return false
    }
    if (!this.#paused && this.#inbox.length === 0 && this.#reader !== undefined) {
      if (this.#reader.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
      return !this.#paused
    }
    this.#inbox.add(bytes)
    this.#host.grew()
    return false
  }

  #endCame(): void {
    if (this.#over || this.#ended) return
    this.#ended = true
    if (this.#parked || this.#chunks?.complete === false) this.reset()
    else this.#flow()
    if (this.#leaving !== undefined) this.leave(this.#leaving)
  }

  #flow(): void {
    if (this.#flowing) return
    this.#flowing = true
    while (!this.#paused && this.#reader !== undefined) {
      const bytes = this.#inbox.shift()
      if (bytes === undefined) break
      if (this.#reader.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
    }
    this.#flowing = false
    if (this.#paused || this.#reader === undefined || this.#over) return
    if (!this.#ended) this.#readOn()
    else if (!this.#endReported) {
      this.#endReported = true
      this.#reader.onEnd()
      this.#progressed()
    }
  }

  get reader(): RawReader | undefined {
    return this.#reader
  }

  read(reader: RawReader): void {
    // The `Duplex` was read before: the bytes that it has read ahead come first.
    const before = this.#duplex
    if (before !== undefined && this.#reader === before && reader !== before) this.#inbox.putBack(before.giveBack())
    this.#reader = reader
    this.#paused = false
    this.#flow()
  }

  unread(bytes: Buffer): void {
    this.#inbox.putBack(bytes)
  }

  resume(): void {
    this.#paused = false
    this.#flow()
  }

  pause(): void {
    this.#paused = true
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    if (this.#over || this.#endedHere) return true
    const bytes = buffer.subarray(start, end)
    this.#writing += bytes.length
    this.#held.push(shared ? Buffer.from(bytes) : bytes)
    if (this.#held.length > 1 || this.#host.congested(this)) return false
    this.uncongested()
    return shared && this.#writing < WRITE_LIMIT
  }

  /** Hands over what was held back. */
  uncongested(): void {
    this.#silent = false
    for (const bytes of this.#held.splice(0)) {
      const done = (): void => this.#wrote(bytes.length)
      if (this.#chunks === undefined) this.#h2.write(bytes, done)
      else writeChunk(this.#h2, bytes, done)
    }
    if (this.#endedHere && !this.#over) this.#end()
  }

  /**
   * Sends an empty chunk on a stream that was silent since the last call. Proxies that speak HTTP/2 take PING for
   * themselves, and cut requests whose bodies are silent.
   */
  keepAlive(): void {
    const { destroyed, closed } = this.#h2
    if (this.#silent && !this.#over && !this.#endedHere && !destroyed && !closed) this.#h2.write(EMPTY_CHUNK)
    this.#silent = true
  }

  #wrote(bytes: number): void {
    this.#writing -= bytes
    this.#host.progressed()
    if (this.#writing > 0 || this.#over) return
    if (this.onWritable !== undefined) this.onWritable()
    else this.#duplex?.written()
  }

  end(): void {
    if (this.#over || this.#endedHere) return
    this.#endedHere = true
    if (this.#held.length === 0) this.#end()
  }

  /** Calls back when the end is sent, or will not be any more. */
  flushed(then: () => void): void {
    whenFlushed(this.#h2, then)
  }

  reset(error?: Error): void {
    if (this.#over) return
    if (!this.#h2.closed) this.#host.cancel(this)
    this.#finish(error ?? new RystraError('stream.reset', { detail: 'by this side' }), true)
  }

  /** The link ends cleanly: what the other side has sent is still read. Called again when more has come. */
  leave(error: Error): void {
    this.#leaving = error
    if (this.#over || !this.#ended) return
    this.#lost = this.endedHere ? undefined : error
    if (!this.endedHere) this.rst()
    this.#gone = true
    this.#host.streamOver(this)
    this.#progressed()
  }

  /** Sends the frame. */
  rst(): void {
    if (!this.#h2.closed) this.#h2.close(NGHTTP2_CANCEL)
  }

  /** Whether HTTP/2 is done with it. */
  get gone(): boolean {
    return this.#gone
  }

  /** The other side has given the stream up, or the link is gone. */
  cut(error: Error): void {
    this.#finish(error, false)
  }

  #h2Closed(): void {
    const left = this.#gone
    this.#gone = true
    if (this.#over || left) return
    const { rstCode } = this.#h2
    if (rstCode === NGHTTP2_NO_ERROR && this.#ended && this.#endedHere) this.#progressed()
    else this.cut(new RystraError('stream.reset', { detail: `by the other side, HTTP/2 code ${rstCode}` }))
  }

  #progressed(): void {
    if (this.#gone && this.#endReported) this.#finish(this.#lost, true)
  }

  #finish(error: Error | undefined, later: boolean): void {
    if (this.#over) {
      // The link ends before the end of the stream was reported: report it now.
      if (!later) this.#report(error)
      return
    }
    this.#over = true
    this.#inbox.clear()
    this.#held.length = 0
    this.#host.streamOver(this)
    // The caller of `reset` is not called back before that returns.
    // An error must not overtake the end that the reader was given.
    if (later && this.#lost !== undefined) setImmediate(() => this.#report(error))
    else if (later) queueMicrotask(() => this.#report(error))
    else this.#report(error)
  }

  #report(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.#duplex?.over(error)
    this.onClose?.(error)
  }
}
