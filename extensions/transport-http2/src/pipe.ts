import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** Bytes that wait for the network, after which no stream writes more. */
const HIGH = 1024 * 1024

/** Milliseconds the last bytes have to get out after the session is over. */
const LINGER_MS = 1000

const MiB = 1024 * 1024

/**
 * Stands between a session and its socket. On a bare socket node:http2 reads nothing while a write is under way: two ends
 * that both send more than the kernels hold would wait for each other for ever, and a slow line would let nothing in
 * while it is full. Here a write is done at once, and the streams are held back instead: see {@link congested}.
 */
export class Pipe extends Duplex {
  /** Streams may write again. */
  onDrain: (() => void) | undefined
  /** The other side has said that it sends no more. */
  onEnd: (() => void) | undefined
  readonly #socket: Socket

  constructor(socket: Socket) {
    super({ allowHalfOpen: true, readableHighWaterMark: MiB, writableHighWaterMark: MiB })
    this.#socket = socket
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause()
    })
    socket.once('end', () => {
      this.push(null)
      // What came before it may say why: let it be read first.
      setImmediate(() => setImmediate(() => this.onEnd?.()))
    })
    socket.once('close', () => this.destroy())
    socket.on('drain', () => this.onDrain?.())
  }

  /** Bytes that wait for the network. */
  get waiting(): number {
    return this.#socket.writableLength
  }

  /** Whether streams have to wait until {@link onDrain}. */
  get congested(): boolean {
    return this.waiting >= HIGH
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#socket.writable) this.#socket.write(chunk)
    done()
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    const socket = this.#socket
    if (socket.writable) {
      socket.cork()
      for (const { chunk } of chunks) socket.write(chunk)
      socket.uncork()
    }
    done()
  }

  override _final(done: () => void): void {
    this.#socket.end()
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    const socket = this.#socket
    if (socket.destroyed || socket.writableLength === 0) socket.destroy()
    else {
      const timer = setTimeout(() => socket.destroy(), LINGER_MS)
      socket.once('close', () => clearTimeout(timer))
      socket.once('finish', () => socket.destroy())
      // To close over unread bytes would be a reset, which takes our last ones with it.
      socket.removeAllListeners('data').resume()
      socket.end()
    }
    done(error)
  }
}
