import type net from 'node:net'
import { cutOff } from './cut-off.js'
import { belowTls, deliverBeforeError, idleDescriptorOf, readInto, type RestTaker, tlsDescriptorOf } from './onread.js'
import { type Detached, HEADROOM, KEEP, type RawReader, type RawStream } from './raw.js'
import { common, quietViewOf } from './quiet-view.js'
import { resetSeen, watchHalfClosed } from './reset-seen.js'
import { CROWDED_READ, SMALL_READ, SMALL_READS, WATCH_LIMIT, WRITE_LIMIT } from './socket-limits.js'
import { keepSweeping, MAX_SWEEPS, promoted, type Sweepable } from './slab-sweep.js'
import { ownSocket, reportEndOf, type SocketOwner } from './socket-owner.js'
import { forgetSlab, holdSlab, mayHoldSlab, releaseSlab, SLAB_SIZE, takeSlab } from './slab.js'

const empty = Buffer.alloc(0)

/** The fast {@link RawStream} of a `net.Socket`: reads without allocation, writes without a queue. */
export class RawSocket implements RawStream, RestTaker, SocketOwner, Sweepable {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined
  closed = false

  readonly #socket: net.Socket
  #reader: RawReader | undefined
  #slab: Buffer | undefined
  readonly #quietView: Buffer
  #view: Buffer
  #next: Buffer | undefined
  #small = 0
  #held = false
  #stalled = false
  #paused = false
  #fresh = false
  /** Bytes that may still be read ahead while there is no reader, or a paused one. */
  #ahead = 0
  #quiet = 0
  #sweeps = 1
  #flushing = 0
  #ended = false
  #endReported = false
  #back: Buffer[] | undefined
  #error: Error | undefined
  #detached = false

  constructor(socket: net.Socket) {
    this.#socket = socket
    this.#quietView = quietViewOf(socket)
    this.#view = this.#quietView
    ownSocket(socket, this)
    deliverBeforeError(socket, this)
    if (socket.closed) setImmediate(() => this.socketClosed())
  }

  read(reader: RawReader): void {
    const first = this.#reader === undefined
    this.#reader = reader
    this.#paused = false
    if (first) this.#start()
    else this.#deliverBack()
  }

  watch(): void {
    if (this.closed || this.#slab !== undefined) return
    this.#ahead = WATCH_LIMIT
    if (this.#reader === undefined) this.#socket.read(0)
    else if (this.#paused) this.#socket.resume()
  }

  #keep(bytes: Buffer): void {
    this.#back = [...(this.#back ?? []), bytes]
  }

  #start(): void {
    const socket = this.#socket
    reportEndOf(socket)
    // What came before us is in the socket's own queue, and so may be the end.
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read()) this.#keep(chunk)
    if (socket.readableEnded) this.socketEnded()
    else if (!socket.destroyed) readInto(socket, this.#view, this.#onRead, this.#nextBuffer)
    this.#deliverBack()
  }

  /** Bytes put back, or read before the take-over, go first; then the end, if it came already; then reading. */
  #deliverBack(): void {
    this.#ahead = 0
    this.#held = false
    this.#stall(false)
    while (this.#back !== undefined && this.#reader !== undefined && !this.#paused) {
      const bytes = this.#back.shift()
      if (this.#back.length === 0) this.#back = undefined
      if (bytes === undefined || bytes.length === 0) continue
      if (this.#reader.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
    }
    if (this.#paused) this.#socket.pause()
    else if (this.#ended) this.#reportEnd()
    else if (!this.#socket.destroyed) this.#socket.resume()
  }

  readonly #onRead = (bytes: number): boolean => {
    const reader = this.#reader as RawReader
    if (this.#paused) {
      // Read ahead; or TLS, which hands over what it has decrypted, asked or not, and never fills the common buffer.
      this.#keep(Buffer.from(this.#view.subarray(0, bytes)))
      this.#ahead -= bytes
      return this.#ahead > 0
    }
    this.#fresh = true
    const slab = this.#slab
    if (slab === undefined) {
      if (bytes === common.length) this.#promote()
      const verdict = reader.onBytes(this.#quietView, 0, bytes, true)
      if (verdict !== false) return !this.#paused
      this.#paused = true
      return false
    }
    if (bytes < SMALL_READ) this.#small += 1
    else this.#small = 0
    this.#held = true
    const lends = mayHoldSlab()
    const verdict = reader.onBytes(slab, HEADROOM, HEADROOM + bytes, !lends)
    if (verdict === KEEP) {
      this.#held = false
      if (this.#slab === slab) {
        this.#drop()
        this.#promote()
        if (this.#slab === undefined) this.#use(this.#quietView)
      }
      return !this.#paused
    }
    if (verdict === false) {
      this.#paused = true
      if (lends) this.#stall(true)
      else {
        this.#held = false
        this.#demote()
      }
      return false
    }
    this.#held = false
    if (this.#small >= SMALL_READS) this.#demote()
    return !this.#paused
  }

  /** The reader holds the slab until it wants more. */
  #stall(stalled: boolean): void {
    if (this.#stalled === stalled) return
    this.#stalled = stalled
    holdSlab(stalled)
  }

  readonly #nextBuffer = (): Buffer | undefined => {
    const next = this.#next
    this.#next = undefined
    return next
  }

  #use(view: Buffer): void {
    this.#view = view
    this.#next = view
  }

  #promote(): void {
    if (this.closed) return
    const slab = takeSlab()
    if (slab === undefined) return
    this.#slab = slab
    this.#small = 0
    this.#use(slab.subarray(HEADROOM, HEADROOM + (mayHoldSlab() ? SLAB_SIZE : CROWDED_READ)))
    promoted.add(this)
    keepSweeping()
  }

  #drop(): void {
    this.#slab = undefined
    promoted.delete(this)
  }

  #demote(): void {
    if (this.#slab === undefined || this.#held) return
    releaseSlab(this.#slab)
    this.#drop()
    this.#use(this.#quietView)
  }

  /** Called by the sweep: gives back the slab of a socket that has gone quiet. */
  sweep(): void {
    if (this.#fresh || this.#held) {
      this.#fresh = false
      this.#quiet = 0
      return
    }
    this.#quiet += 1
    if (this.#quiet < this.#sweeps) return
    this.#quiet = 0
    this.#sweeps = Math.min(2 * this.#sweeps, MAX_SWEEPS)
    this.#demote()
    this.#next = undefined
    if (!this.#socket.destroyed) readInto(this.#socket, this.#view, this.#onRead, this.#nextBuffer)
  }

  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#back = [bytes, ...(this.#back ?? [])]
  }

  resume(): void {
    this.#paused = false
    if (this.#reader !== undefined) this.#deliverBack()
  }

  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  write(buffer: Buffer, start: number, end: number, shared: boolean): boolean {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return true
    const part = start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end)
    // TLS takes no bytes at once: what is not queued needs no second write, which is a system call, to tell when it is sent.
    if (!shared && (socket as { encrypted?: boolean }).encrypted) return this.#waitFor(part)
    socket.write(shared ? Buffer.from(part) : part)
    // What the kernel took at once is no longer counted here.
    const waiting = socket.writableLength
    return waiting === 0 || (shared && waiting < WRITE_LIMIT) || this.#waitFor(empty)
  }

  /** Only the last of several writes that had to wait makes the way free: lent memory may hang on each of them. */
  #waitFor(bytes: Buffer): false {
    this.#flushing += 1
    this.#socket.write(bytes, (error) => {
      this.#flushing -= 1
      if (this.#flushing === 0 && (error === undefined || error === null)) this.onWritable?.()
    })
    return false
  }

  end(): void {
    if (!this.#socket.destroyed) this.#socket.end()
  }

  reset(): void {
    if (this.#socket.destroyed) return
    this.#error ??= new Error('reset by this side')
    this.#paused = true
    cutOff(this.#socket)
  }

  detach(tls = false): Detached | undefined {
    const socket = this.#socket
    if (this.#reader === undefined) this.#keep((socket.read() as Buffer | null) ?? empty) // may start reading
    const fd = tls && belowTls(socket) ? tlsDescriptorOf(socket) : idleDescriptorOf(socket)
    if (fd === undefined) return undefined
    this.pause()
    const pending = Buffer.concat(this.#back ?? [])
    this.#back = undefined
    const over = (error?: Error): void => {
      this.#error ??= error
      this.#ended = true
      this.#detached = true
      socket.destroy()
    }
    return { fd, pending, over, attach: () => this.unread(pending), tls: belowTls(socket) ? socket : undefined }
  }

  socketEnded(): void {
    const reset = resetSeen(this.#socket)
    if (reset !== undefined) return void this.#socket.destroy(reset)
    this.#ended = true
    watchHalfClosed(this.#socket)
    if (!this.#paused && this.#back === undefined) this.#reportEnd()
  }

  takeRest(rest: Buffer, bytes: number): boolean {
    if (this.#reader === undefined || this.#paused || this.#ended || this.#detached) return false
    return bytes === 0 || this.#reader.onBytes(rest, 0, bytes, true) !== false
  }

  #reportEnd(): void {
    if (this.#endReported) return
    this.#endReported = true
    this.#reader?.onEnd()
  }

  socketFailed(error: Error): void {
    this.#error ??= error
  }

  socketClosed(): void {
    if (this.closed) return
    this.closed = true
    this.#stall(false)
    if (this.#slab !== undefined) {
      if (this.#held) forgetSlab(this.#slab)
      else releaseSlab(this.#slab)
      this.#drop()
    }
    this.onClose?.(
      this.#error ??
        (this.#ended && (this.#detached || this.#socket.writableFinished) ? undefined : new Error('cut off'))
    )
    this.onWritable = undefined
  }
}
