import {
  type Detached,
  HEADROOM,
  type RawReader,
  type RawStream,
  rawOf,
  resetAtExit,
  SLAB_SIZE,
  takeSlab
} from '@rystra/bytes'
import type { VisitorInfo } from '@rystra/model'
import { plainAddress } from '@rystra/address'
import { closeDescriptor, Connection, type ConnectionEvents, errnoError, type SocketAddress } from '@rystra/native'
import net from 'node:net'

/** Bytes of a read or write that count as large. */
const LARGE_BYTES = 32 * 1024

/** So many of them make a stream one of Node's sockets, which reads into larger memory and lends it. */
const LARGE_COUNT = 16

const memory = (): Buffer => takeSlab() ?? Buffer.allocUnsafeSlow(HEADROOM + SLAB_SIZE)

const nothing = Buffer.alloc(0)

/**
 * The raw stream of a TCP connection without a `net.Socket`: a connection that carries little costs a third. One that
 * carries much, and is not offloaded, becomes a `net.Socket`.
 */
export class ConnectionStream implements RawStream, ConnectionEvents {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  /** Called once, when its descriptor is given back, before {@link onClose}. */
  onReleased: (() => void) | undefined
  /** Called once, when it was dialed and is connected. */
  onConnected: (() => void) | undefined
  closed = false

  #connection: Connection | undefined
  /** What it has become. */
  #socket: RawStream | undefined
  #reader: RawReader | undefined
  #paused = false
  #back: Buffer[] | undefined
  #ended = false
  #endReported = false
  #large = 0
  /** It was closed while bytes wait for a paused reader. */
  #closing = false
  /** Its descriptor was handed out. */
  #overDetached: ((error?: Error) => void) | undefined
  /** What reads the socket that it has become. */
  #socketReader: RawReader | undefined

  /**
   * Connects to a numeric address: `onConnected`, or `onClose` with an error, follows. `undefined` where there is no native
   * part, or the connection cannot even be tried.
   */
  static dial(address: SocketAddress): ConnectionStream | undefined {
    const stream = new ConnectionStream()
    stream.#connection = Connection.dial(address, stream, memory)
    return stream.#connection === undefined ? undefined : stream
  }

  /**
   * Takes a copy of the descriptor of a connected socket. `undefined`, or `full` where the copy would be above `most`, or no
   * descriptor is left for it: it is still the caller's alone.
   */
  static adopt(
    descriptor: number,
    most?: number
  ): { readonly stream: ConnectionStream; readonly info: VisitorInfo } | 'full' | undefined {
    const stream = new ConnectionStream()
    const adopted = Connection.adopt(descriptor, stream, memory, most)
    if (adopted === undefined || adopted === 'full') return adopted
    stream.#connection = adopted.connection
    const [peer, local] = [adopted.peer, adopted.local]
    const to = { host: plainAddress(local.host), port: local.port }
    return { stream, info: { host: plainAddress(peer.host), port: peer.port, to } }
  }

  read(reader: RawReader): void {
    this.#reader = reader
    this.resume()
  }

  resume(): void {
    this.#paused = false
    if (this.#socket !== undefined) this.#readSocket(this.#socket)
    else if (this.#reader !== undefined) this.#flow(this.#reader)
  }

  /** Bytes put back go first, then the end, if it came already. */
  #flow(reader: RawReader): void {
    while (this.#back !== undefined && !this.#paused) {
      const bytes = this.#back.shift() as Buffer
      if (this.#back.length === 0) this.#back = undefined
      if (reader.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
    }
    if (this.#paused) return
    if (this.#ended) this.#reportEnd(reader)
    else this.#connection?.read()
    if (this.#closing) this.#report(undefined)
  }

  pause(): void {
    this.#paused = true
    if (this.#socket !== undefined) this.#socket.pause()
    else this.#connection?.pause()
  }

  unread(bytes: Buffer): void {
    if (bytes.length === 0) return
    if (this.#socket !== undefined) this.#socket.unread(bytes)
    else this.#back = [bytes, ...(this.#back ?? [])]
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    if (this.#socket !== undefined) return this.#socket.write(buffer, start, end, shared)
    if (end - start >= LARGE_BYTES) this.#countLarge()
    return this.#connection?.write(buffer, start, end) ?? true
  }

  end(): void {
    if (this.#socket !== undefined) this.#socket.end()
    else this.#connection?.end()
  }

  reset(): void {
    if (this.closed) return
    if (this.#socket !== undefined) {
      this.#socket.reset()
      return
    }
    const error = new Error('reset by this side')
    if (this.#overDetached !== undefined) {
      this.#overDetached(error)
      return
    }
    this.#connection?.close()
    this.#connection = undefined
    this.#release()
    // The caller is not called back synchronously.
    queueMicrotask(() => this.#report(error))
  }

  detach(): Detached | undefined {
    if (this.#socket !== undefined) return this.#socket.detach?.()
    if (this.#ended || this.#closing) return undefined
    const connection = this.#connection
    const fd = connection?.park()
    if (fd === undefined) return undefined
    this.#connection = undefined
    const pending = this.#back === undefined ? nothing : Buffer.concat(this.#back)
    this.#back = undefined
    let owned = true
    const over = (error?: Error): void => {
      if (this.#overDetached === undefined) return
      this.#overDetached = undefined
      if (owned) {
        connection?.unpark()
        closeDescriptor(fd)
      }
      this.#release()
      queueMicrotask(() => this.#report(error))
    }
    this.#overDetached = over
    const attach = (): void => {
      this.#overDetached = undefined
      connection?.unpark()
      this.#become(fd)
      this.unread(pending)
    }
    const give = (): void => {
      owned = false
    }
    return { fd, pending, over, attach, give }
  }

  /** Goes on as a socket of Node. */
  #become(fd: number): void {
    const socket = new net.Socket({ fd, allowHalfOpen: true, manualStart: true } as net.SocketConstructorOpts)
    resetAtExit(socket)
    const raw = rawOf(socket)
    this.#socket = raw
    raw.onWritable = () => this.onWritable?.()
    raw.onClose = (error) => {
      this.#release()
      this.#report(error)
    }
    for (const bytes of this.#back?.reverse() ?? []) raw.unread(bytes)
    this.#back = undefined
    if (this.#reader !== undefined && !this.#paused) this.#readSocket(raw)
  }

  #readSocket(raw: RawStream): void {
    if (this.#reader !== undefined && this.#socketReader !== this.#reader) {
      this.#socketReader = this.#reader
      raw.read(this.#reader)
    } else raw.resume()
  }

  #countLarge(): void {
    this.#large += 1
    if (this.#large === LARGE_COUNT) setImmediate(() => this.#becomeSocket())
  }

  #becomeSocket(): void {
    this.#large = 0
    if (this.#ended || this.#closing) return
    const fd = this.#connection?.detach()
    if (fd === undefined) return
    this.#connection = undefined
    this.#become(fd)
  }

  #reportEnd(reader: RawReader): void {
    if (this.#endReported) return
    this.#endReported = true
    reader.onEnd()
  }

  // ConnectionEvents

  onOpen(): void {
    const connected = this.onConnected
    this.onConnected = undefined
    connected?.()
  }

  onBytes(buffer: Buffer, start: number, end: number): void {
    const reader = this.#reader
    if (reader === undefined || this.#paused || this.#back !== undefined) {
      this.#back = [...(this.#back ?? []), Buffer.from(buffer.subarray(start, end))]
      return
    }
    if (end - start >= LARGE_BYTES) this.#countLarge()
    if (reader.onBytes(buffer, start, end, true) !== false) return
    this.#paused = true
    this.#connection?.pause()
  }

  onSent(): void {
    this.onWritable?.()
  }

  onEnd(): void {
    this.#ended = true
    if (!this.#paused && this.#back === undefined && this.#reader !== undefined) this.#reportEnd(this.#reader)
  }

  onClosed(errno: number): void {
    this.#connection = undefined
    this.#release()
    if (errno !== 0) this.#report(errnoError(errno))
    else if (this.#endReported) this.#report(undefined)
    else this.#closing = true
  }

  #release(): void {
    const released = this.onReleased
    this.onReleased = undefined
    released?.()
  }

  #report(error: Error | undefined): void {
    if (this.closed) return
    this.closed = true
    this.#back = undefined
    this.onClose?.(error)
    this.onWritable = undefined
  }
}
