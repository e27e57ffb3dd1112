import net from 'node:net'
import { TLSSocket } from 'node:tls'
import { readNow } from './reset-seen.js'

/**
 * Reading into a buffer of our own, on any `net.Socket`.
 *
 * Node documents this (`onread`) for sockets that are dialed, at the time they are dialed. What it does then is to set
 * three properties under symbols and to call `useUserBuffer` of the handle; this file does the same on a socket that is
 * open already, dialed or accepted. It is the only file that knows. Where Node looks different, `onreadWorks` is false
 * and sockets are read by `data` events. See docs/adr for the figures.
 */

/** Called with the number of bytes read; `false` stops reading. */
type OnRead = (bytes: number, buffer: Buffer) => boolean

interface Keys {
  readonly buffer: symbol
  readonly callback: symbol
  readonly next: symbol
}

interface Handle {
  useUserBuffer(buffer: Uint8Array): void
}

const findKeys = (): Keys | undefined => {
  const probe = new net.Socket({
    onread: { buffer: Buffer.alloc(1), callback: () => true }
  } as net.SocketConstructorOpts)
  const symbols = Object.getOwnPropertySymbols(probe)
  const find = (description: string): symbol | undefined => symbols.find((symbol) => symbol.description === description)
  const buffer = find('kBuffer')
  const callback = find('kBufferCb')
  const next = find('kBufferGen')
  probe.destroy()
  return buffer !== undefined && callback !== undefined && next !== undefined ? { buffer, callback, next } : undefined
}

const keys = process.env['RYSTRA_NO_ONREAD'] === undefined ? findKeys() : undefined

/** Whether this Node can do it. */
export const onreadWorks = keys !== undefined

const handleOf = (socket: net.Socket): Handle | undefined => {
  const handle = (socket as { _handle?: Partial<Handle> | null })._handle
  return typeof handle?.useUserBuffer === 'function' ? (handle as Handle) : undefined
}

/** The descriptor of a bare TCP or Unix socket. TLS has one below it, whose bytes are not the stream's. */
const descriptorOf = (socket: net.Socket): number | undefined => {
  const fd = socket.constructor === net.Socket ? (handleOf(socket) as { fd?: number } | undefined)?.fd : undefined
  return fd !== undefined && fd >= 0 ? fd : undefined
}

/**
 * The descriptor of a socket that is open and has nothing to send. It is no longer read: a socket that is only paused reads
 * ahead.
 */
export const idleDescriptorOf = (socket: net.Socket): number | undefined => {
  const busy = socket.destroyed || socket.writableEnded || socket.writableLength > 0
  const fd = busy ? undefined : descriptorOf(socket)
  if (fd !== undefined) stopReading(socket)
  return fd
}

/** Whether what goes over its descriptor are records of TLS. */
export const belowTls = (socket: net.Socket): socket is TLSSocket => socket instanceof TLSSocket

/**
 * The descriptor below a TLS socket that is open and has no write that waits. It is no longer read. The last write may be
 * sent and still be counted: Node reports it a turn later.
 */
export const tlsDescriptorOf = (socket: TLSSocket): number | undefined => {
  if (socket.destroyed || socket.writableEnded) return undefined
  const { _writableState: state } = socket as { _writableState?: { writelen?: number } }
  if (socket.writableLength > (state?.writelen ?? 0)) return undefined
  const fd = (handleOf(socket) as { fd?: number } | undefined)?.fd
  if (fd === undefined || fd < 0) return undefined
  stopReading(socket)
  return fd
}

const stopReading = (socket: net.Socket): void => {
  const handle = (socket as { _handle?: { reading?: boolean; readStop?(): unknown } | null })._handle
  if (handle?.reading !== true) return
  handle.reading = false
  handle.readStop?.()
}

/** Whether this socket can be read so: it is open, connected, and of a kind that has a handle. */
export const canReadInto = (socket: net.Socket): boolean =>
  keys !== undefined && !socket.connecting && handleOf(socket) !== undefined

/**
 * From now on reads go into `buffer`, and `onRead` is told. After each read `next` is asked for the buffer of the
 * following one; `undefined` keeps the present one. May be called again, to change the buffer between reads.
 */
export const readInto = (socket: net.Socket, buffer: Buffer, onRead: OnRead, next: () => Buffer | undefined): void => {
  const handle = handleOf(socket)
  if (keys === undefined || handle === undefined) return
  const fields = socket as unknown as Record<symbol, unknown>
  fields[keys.buffer] = buffer
  fields[keys.callback] = onRead
  fields[keys.next] = next
  handle.useUserBuffer(buffer)
}

/** What is read of a socket whose write failed: pieces of this size, as many as one read in full flow brings. */
const REST_READ = 64 * 1024
const REST_READS = 16

/** What takes the rest of a socket. */
export interface RestTaker {
  /** @internal Takes a piece, and says whether it takes more; asked without bytes first. */
  takeRest(rest: Buffer, bytes: number): boolean
}

const taker = Symbol('rystra.restTaker')
const destroyBefore = Symbol('rystra.destroyBefore')

type Taken = net.Socket & { [taker]: RestTaker; [destroyBefore]: net.Socket['_destroy'] }

/** One function for all sockets: a closure for each would be kept as long as the stream. */
function destroyAfterRest(this: net.Socket, error: Error | null, done: (error?: Error | null) => void): void {
  const fd = error === null ? undefined : descriptorOf(this)
  const to = (this as Taken)[taker]
  if (fd !== undefined && to.takeRest(nothing, 0)) {
    // Memory of its own: the common buffer may be in use by the reader that caused the write.
    const rest = Buffer.allocUnsafe(REST_READ)
    for (let reads = 0; reads < REST_READS; reads += 1) {
      const bytes = readNow(fd, rest)
      if (bytes === 0 || !to.takeRest(rest, bytes)) break
    }
  }
  ;(this as Taken)[destroyBefore](error, done)
}

/**
 * A write that fails closes the socket. What had arrived before is still in the kernel then, an answer to what could not be
 * sent for example: it goes out first, as on a direct connection.
 */
export const deliverBeforeError = (socket: net.Socket, to: RestTaker): void => {
  if (descriptorOf(socket) === undefined) return
  const taken = socket as Taken
  taken[taker] = to
  taken[destroyBefore] = socket._destroy
  socket._destroy = destroyAfterRest
}

const nothing = Buffer.alloc(0)
