import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

/** Bytes in front of each record: the length of what follows, big-endian. */
const HEADER = 4
/** A record of nothing: this direction is over. */
const END = Buffer.alloc(HEADER)

const lost = (): Error => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })

/**
 * A stream on a Unix domain socket. Such a socket knows no reset: a reader cannot tell a peer that is done from one that
 * was killed, and a file cut in the middle would look complete. So bytes travel in records, an end is a record of its own, and a
 * socket that closes without it was reset.
 */
export class FramedStream extends Duplex {
  readonly #socket: Socket
  readonly #header = Buffer.alloc(HEADER)
  /** Bytes of the header that have come. */
  #known = 0
  /** Bytes of the record that are still to come. */
  #left = 0
  #over = false

  /** @param socket connected, with half-open allowed */
  constructor(socket: Socket) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    // The socket is read only while this stream is read.
    socket.pause()
    socket.on('data', (chunk: Buffer) => this.#arrive(chunk))
    socket.on('end', () => this.#over || this.destroy(lost()))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.#over || this.destroy(lost()))
  }

  override _read(): void {
    this.#socket.resume()
  }

  #arrive(chunk: Buffer): void {
    let more = true
    for (let at = 0; at < chunk.length; ) {
      if (this.#over) return void this.destroy(new Error('bytes after the end'))
      if (this.#left > 0) {
        const part = chunk.subarray(at, at + this.#left)
        at += part.length
        this.#left -= part.length
        more = this.push(part)
        continue
      }
      this.#header[this.#known++] = chunk[at++] as number
      if (this.#known < HEADER) continue
      this.#known = 0
      this.#left = this.#header.readUInt32BE()
      if (this.#left > 0) continue
      this.#over = true
      more = this.push(null)
    }
    // At the end of the stream the socket goes on, to its own end.
    if (!more && !this.#over) this.#socket.pause()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    // A record of nothing would be the end.
    if (chunk.length === 0) {
      done()
      return
    }
    const header = Buffer.alloc(HEADER)
    header.writeUInt32BE(chunk.length)
    this.#socket.cork()
    this.#socket.write(header)
    this.#socket.write(chunk, done)
    this.#socket.uncork()
  }

  override _final(done: Done): void {
    this.#socket.end(END, done)
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#socket.destroy()
    done(error)
  }
}
