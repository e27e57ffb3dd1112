import net from 'node:net'
import { readInto } from './onread.js'
import { HEADROOM, KEEP, type RawReader, type RawStream } from './raw.js'
import { forgetSlab, releaseSlab, SLAB_SIZE, takeSlab } from './slab.js'

/**
 * Every socket that is quiet reads into this one: what is read is copied or used up before the call returns. A read that
 * fills it shows a stream in full flow, and gets that socket a slab of its own.
 */
const common = Buffer.allocUnsafeSlow(64 * 1024)

/** Reads in a row that would have fitted well into the common buffer, after which a slab is given back. */
const SMALL_READ = 16 * 1024
const SMALL_READS = 8

/** Copies waiting to be sent, in bytes, at which a writer has to wait: as much as fits one read of a quiet socket. */
const WRITE_LIMIT = 64 * 1024

/** A slab that was not read into for this long, in milliseconds, goes back to the pool. */
const SWEEP = 2000

const empty = Buffer.alloc(0)

/** The fast {@link RawStream} of a `net.Socket`: reads without allocation, writes without a queue. */
export class RawSocket implements RawStream {
  onWritable: (() => void) | undefined
  onClose: ((error?: Error) => void) | undefined

  readonly #socket: net.Socket
  #reader: RawReader | undefined
  #slab: Buffer | undefined
  #view: Buffer = common
  #next: Buffer | undefined
  #small = 0
  #held = false
  #paused = false
  #fresh = false
  #ended = false
  #endTold = false
  #back: Buffer[] | undefined
  #error: Error | undefined
  #closed = false

  constructor(socket: net.Socket) {
    this.#socket = socket
    this.#closed = socket.closed
    socket.on('error', this.#onError)
    socket.on('close', this.#onClosed)
  }

  get closed(): boolean {
    return this.#closed
  }

  read(reader: RawReader): void {
    const first = this.#reader === undefined
    this.#reader = reader
    this.#paused = false
    if (first) this.#start()
    else this.#deliverBack()
  }

  #start(): void {
    const socket = this.#socket
    socket.on('end', this.#onEnd)
    // What came before us is in the socket's own queue, and so may be the end.
    for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read()) {
      this.#back ??= []
      this.#back.push(chunk)
    }
    if (socket.readableEnded) this.#ended = true
    else if (!socket.destroyed) readInto(socket, common, this.#onRead, this.#nextBuffer)
    this.#deliverBack()
  }

  /** Bytes put back, or read before the take-over, go first; then the end, if it came already; then reading. */
  #deliverBack(): void {
    this.#held = false
    while (this.#back !== undefined && this.#reader !== undefined && !this.#paused) {
      const bytes = this.#back.shift()
      if (this.#back.length === 0) this.#back = undefined
      if (bytes === undefined || bytes.length === 0) continue
      if (this.#reader.onBytes(bytes, 0, bytes.length, false) === false) this.#paused = true
    }
    if (this.#paused) {
      this.#socket.pause()
      return
    }
    if (this.#ended) this.#tellEnd()
    else if (!this.#socket.destroyed) this.#socket.resume()
  }

  readonly #onRead = (bytes: number): boolean => {
    const reader = this.#reader as RawReader
    this.#fresh = true
    const slab = this.#slab
    if (slab === undefined) {
      if (bytes === common.length) this.#promote()
      const verdict = reader.onBytes(common, 0, bytes, true)
      if (verdict !== false) return !this.#paused
      this.#paused = true
      return false
    }
    if (bytes < SMALL_READ) this.#small += 1
    else this.#small = 0
    // Held while the reader has it: whoever closes us in between must not give the memory to another.
    this.#held = true
    const verdict = reader.onBytes(slab, HEADROOM, HEADROOM + bytes, false)
    if (verdict === KEEP) {
      this.#held = false
      if (this.#slab === slab) {
        this.#drop()
        this.#promote()
        if (this.#slab === undefined) this.#use(common)
      }
      return !this.#paused
    }
    if (verdict === false) {
      this.#paused = true
      return false
    }
    this.#held = false
    if (this.#small >= SMALL_READS) this.#demote()
    return !this.#paused
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
    if (this.#closed) return
    const slab = takeSlab()
    if (slab === undefined) return
    this.#slab = slab
    this.#small = 0
    this.#use(slab.subarray(HEADROOM, HEADROOM + SLAB_SIZE))
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
    this.#use(common)
  }

  /** Called by the sweep: gives back the slab of a socket that has gone quiet. */
  sweep(): void {
    if (this.#fresh || this.#held) {
      this.#fresh = false
      return
    }
    this.#demote()
    this.#next = undefined
    if (!this.#socket.destroyed) readInto(this.#socket, this.#view, this.#onRead, this.#nextBuffer)
  }

  unread(bytes: Buffer): void {
    if (bytes.length === 0) return
    this.#back ??= []
    this.#back.unshift(bytes)
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
    if (shared) socket.write(Buffer.from(buffer.subarray(start, end)))
    else socket.write(start === 0 && end === buffer.length ? buffer : buffer.subarray(start, end))
    // What the kernel took at once is no longer counted here.
    const waiting = socket.writableLength
    if (waiting === 0 || (shared && waiting < WRITE_LIMIT)) return true
    socket.write(empty, this.#onFlushed)
    return false
  }

  readonly #onFlushed = (error?: Error | null): void => {
    if (error === undefined || error === null) this.onWritable?.()
  }

  end(): void {
    if (!this.#socket.destroyed) this.#socket.end()
  }

  reset(): void {
    const socket = this.#socket
    if (socket.destroyed) return
    this.#error ??= new Error('reset by this side')
    // Only TCP knows a reset; a pipe or TLS is just cut.
    if (socket.constructor === net.Socket && socket.remotePort !== undefined) socket.resetAndDestroy()
    else socket.destroy()
  }

  readonly #onEnd = (): void => {
    this.#ended = true
    if (!this.#paused && this.#back === undefined) this.#tellEnd()
  }

  #tellEnd(): void {
    if (this.#endTold) return
    this.#endTold = true
    this.#reader?.onEnd()
  }

  readonly #onError = (error: Error): void => {
    this.#error ??= error
  }

  readonly #onClosed = (): void => {
    this.#closed = true
    if (this.#slab !== undefined) {
      if (this.#held) forgetSlab(this.#slab)
      else releaseSlab(this.#slab)
      this.#drop()
    }
    this.onClose?.(this.#error ?? (this.#ended && this.#socket.writableFinished ? undefined : new Error('cut off')))
    this.onWritable = undefined
  }
}

const promoted = new Set<RawSocket>()
let timer: NodeJS.Timeout | undefined

const keepSweeping = (): void => {
  timer ??= setInterval(() => {
    for (const socket of promoted) socket.sweep()
    if (promoted.size > 0) return
    clearInterval(timer)
    timer = undefined
  }, SWEEP).unref()
}
