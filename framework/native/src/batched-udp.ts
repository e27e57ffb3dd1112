import type { Socket } from 'node:dgram'
import { getSystemErrorName } from 'node:util'
import { Addresses } from './addresses.js'
import { DONE, FAILED, type NativeSocket } from './binding.js'
import { handleOf } from './handle.js'
import { loadNative, type Native } from './load.js'
import { COLUMNS, MAX_ROWS, MAX_SEGMENTS, ROW } from './rows.js'
import { giveSlab, type Slab, SLAB_BYTES, takeSlab } from './slab.js'

/** What a socket reports. */
export interface UdpEvents {
  /** Its memory is overwritten after the call. */
  onDatagram(datagram: Buffer, host: string, port: number): void
  onError(error: NodeJS.ErrnoException): void
  /** Called when {@link BatchedUdp.blocked} ends. */
  onDrain?(): void
}

/** What is used of the kernel; both may be missing, also at run time. */
export interface UdpFeatures {
  /** Segmentation (UDP_SEGMENT). @default true */
  readonly segment?: boolean
  /** Coalescing (UDP_GRO). @default true */
  readonly coalesce?: boolean
}

let addresses: Addresses | undefined

/**
 * A bound socket of node:dgram that is read and written in batches, past Node. The socket stays the owner: its errors of
 * binding, its address and its end are as before, but it no longer emits `message`.
 */
export class BatchedUdp {
  /** The kernel accepts no more datagrams. */
  blocked = false
  /** Datagrams that the kernel refused to send. */
  failed = 0
  readonly #native: Native
  readonly #events: UdpEvents
  readonly #addresses: Addresses
  #socket: NativeSocket | undefined
  #slab: Slab | undefined
  #count = 0
  #end = 0
  /** The slot that was handed out has no memory in the batch. */
  #dropping = false

  private constructor(native: Native, events: UdpEvents) {
    this.#native = native
    this.#events = events
    this.#addresses = addresses ??= new Addresses(native.binding)
  }

  /** `undefined` where there is no native part, or no descriptor is left. */
  static attach(
    socket: Socket,
    events: UdpEvents,
    { segment = true, coalesce = true }: UdpFeatures = {}
  ): BatchedUdp | undefined {
    const native = loadNative()
    const handle = native === undefined ? undefined : handleOf(socket)
    if (native === undefined || handle === undefined) return undefined
    const batched = new BatchedUdp(native, events)
    const attached = native.binding.attach(handle.fd, batched.#deliver, segment, coalesce)
    if (typeof attached === 'number') return undefined
    handle.recvStop()
    batched.#socket = attached
    socket.once('close', () => batched.close())
    return batched
  }

  /** Memory for the next datagram, until {@link send}. */
  slot(size: number): Buffer {
    this.#dropping = !this.#reserve(size)
    if (this.#dropping) return Buffer.allocUnsafe(size)
    return (this.#slab as Slab).views.of(this.#count, this.#end, size)
  }

  /** Sends the datagram in the last slot: at the end of the turn, or by {@link flush}. Without `port` to the peer. */
  send(length: number, port: number | undefined, host: string, watched: boolean): void {
    if (!this.#dropping && this.#socket !== undefined) this.#add(length, port, host, watched)
  }

  /** Sends a copy of a datagram. `false`: the kernel accepts no more, the socket is closed, or `host` is no address. */
  post(datagram: Buffer, port?: number, host = ''): boolean {
    if (this.#socket === undefined || !this.#reserve(datagram.length)) return false
    ;(this.#slab as Slab).memory.set(datagram, this.#end)
    return this.#add(datagram.length, port, host, port === undefined)
  }

  /** Whether there is room. */
  #reserve(size: number): boolean {
    if (this.#socket === undefined) return false
    if (this.#count === MAX_ROWS || this.#end + size > SLAB_BYTES) this.flush()
    this.#slab ??= takeSlab()
    return this.#count < MAX_ROWS && this.#end + size <= SLAB_BYTES
  }

  #add(length: number, port: number | undefined, host: string, watched: boolean): boolean {
    const { rows, watched: watching } = this.#slab as Slab
    const at = this.#count * COLUMNS
    if (port === undefined) rows.fill(0, at, at + COLUMNS)
    else {
      if (!this.#addresses.write(host, rows, at)) return false
      rows[at + ROW.port] = port
      rows[at + ROW.extra] = 0
    }
    rows[at + ROW.offset] = this.#end
    rows[at + ROW.length] = length
    watching[this.#count] = watched ? 1 : 0
    this.#end += length
    this.#count += 1
    if (this.#count === 1) process.nextTick(this.#flushLater)
    return true
  }

  readonly #flushLater = (): void => this.flush()

  /** Sends all datagrams. */
  flush(): void {
    if (!this.blocked) this.#flush()
  }

  #flush(): void {
    const slab = this.#slab
    if (slab === undefined || this.#socket === undefined || this.#count === 0) return
    const { rows, watched, memory } = slab
    const result = this.#native.binding.send(this.#socket, memory, rows, this.#count)
    const done = result & DONE
    const errors = (result & FAILED) === 0 ? [] : this.#failures(slab, done)
    if (done < this.#count) {
      rows.copyWithin(0, done * COLUMNS, this.#count * COLUMNS)
      watched.copyWithin(0, done, this.#count)
      this.#count -= done
      this.blocked = true
    } else this.#release()
    for (const error of errors) this.#events.onError(error)
  }

  #failures({ rows, watched }: Slab, done: number): Error[] {
    const errors: Error[] = []
    for (let row = 0; row < done; row += 1) {
      const errno = rows[row * COLUMNS + ROW.extra] as number
      if (errno === 0) continue
      this.failed += 1
      if (watched[row] === 1) errors.push(systemError(-errno, 'sendmmsg'))
    }
    return errors
  }

  #release(): void {
    if (this.#slab !== undefined) giveSlab(this.#slab)
    this.#slab = undefined
    this.#count = 0
    this.#end = 0
  }

  /** Called with the number of received messages, 0 when the kernel accepts more, or an error. */
  readonly #deliver = (what: number): void => {
    if (what > 0) this.#received(what)
    else if (what < 0) this.#events.onError(systemError(what, 'recvmmsg'))
    else {
      this.blocked = false
      this.#flush()
      if (!this.blocked && this.#socket !== undefined) this.#events.onDrain?.()
    }
  }

  #received(count: number): void {
    const { views, rows } = this.#native
    for (let at = 0; at < count * COLUMNS; at += COLUMNS) {
      const host = this.#addresses.read(rows, at)
      const port = rows[at + ROW.port] as number
      const length = rows[at + ROW.length] as number
      let start = rows[at + ROW.offset] as number
      const end = start + length
      let place = (at / COLUMNS) * MAX_SEGMENTS
      const size = (rows[at + ROW.extra] as number) || length
      do {
        this.#events.onDatagram(views.of(place, start, Math.min(size, end - start)), host, port)
        start += size
        // More than the views kept for a message share the last place.
        if (place % MAX_SEGMENTS < MAX_SEGMENTS - 1) place += 1
      } while (start < end && this.#socket !== undefined)
      if (this.#socket === undefined) return
    }
  }

  /** The socket no longer keeps the process alive. */
  unref(): void {
    if (this.#socket !== undefined) this.#native.binding.unref(this.#socket)
  }

  /** Sends what is pending and gives the descriptor back. The socket of Node is its owner's to close. */
  close(): void {
    if (this.#socket === undefined) return
    this.flush()
    const socket = this.#socket
    this.#socket = undefined
    if (socket !== undefined) this.#native.binding.close(socket)
    this.#release()
  }
}

const systemError = (errno: number, syscall: string): NodeJS.ErrnoException => {
  const code = getSystemErrorName(errno)
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno, syscall })
}
