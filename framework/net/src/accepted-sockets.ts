import { maxDescriptor } from '@rystra/limits'
import { type Logger, silentLog, type VisitorInfo } from '@rystra/model'
import type { Socket } from 'node:net'
import type { AcceptedHandle } from './accepted-handles.js'
import { ConnectionStream } from './connection-stream.js'
import { descriptorOf } from './descriptors.js'

/** Milliseconds between two log lines about connections that could not be accepted. */
const LOG_INTERVAL_MS = 10_000

/** How an {@link AcceptedSockets} works. */
export interface AcceptedSocketsOptions {
  /** @default no log */
  readonly log?: Logger
  /** The highest descriptor that an accepted connection may have. @default 15/16 of the limit of open files */
  readonly maxDescriptor?: number
}

/** The listener that accepted a connection. */
export interface Face {
  /** Host and port of the listener. */
  readonly address: string
  /** The extension that handles the connection, where one does. */
  readonly extension?: string | undefined
}

const faces = new WeakMap<object, Face>()

/** Where a socket was accepted. `undefined` for one that was dialed. */
export const faceOf = (socket: object): Face | undefined => faces.get(socket)

/**
 * The accepted connections of one process end, each until its descriptor is closed. It is the one place where connections
 * enter: the descriptor limit is enforced here, and a handler that throws ends its connection alone.
 */
export class AcceptedSockets {
  readonly #log: Logger
  readonly #maxDescriptor: number
  readonly #open = new Map<string, number>()
  /** Listeners of closed connections, by address, as long as one is open. */
  readonly #onClosed = new Map<string, () => void>()
  /** Connections refused since the last log line. */
  #refused = 0
  #lastLog = Number.NEGATIVE_INFINITY

  constructor({ log = silentLog, maxDescriptor: most = maxDescriptor() }: AcceptedSocketsOptions = {}) {
    this.#log = log
    this.#maxDescriptor = most
  }

  /** Connections that are open, by the address they were accepted at. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#open)
  }

  /** Counts a new connection until it is closed. `false`: the descriptor limit is reached, and it was closed. */
  admit(socket: Socket, address: string): boolean {
    if (descriptorOf(socket) > this.#maxDescriptor) {
      socket.destroy()
      this.#refuse(address)
      return false
    }
    // Not once, which makes two more objects for each.
    socket.on('close', this.#count(address))
    return true
  }

  #refuse(address: string): void {
    this.failed(address, new Error(`descriptor limit reached (${this.#maxDescriptor} in use): raise "ulimit -n"`))
  }

  /** Counts a connection until what it returns is called. */
  #count(address: string): () => void {
    this.#open.set(address, (this.#open.get(address) ?? 0) + 1)
    // One function for all connections of an address.
    let closed = this.#onClosed.get(address)
    if (closed === undefined) {
      closed = () => this.#closed(address)
      this.#onClosed.set(address, closed)
    }
    return closed
  }

  /** Passes a connection to its handler. A handler that throws ends this connection and nothing else. */
  handOver(socket: Socket, face: Face, handler: (socket: Socket) => void): void {
    faces.set(socket, face)
    this.#contain(
      face,
      () => handler(socket),
      () => socket.on('error', () => {}).destroy()
    )
  }

  /**
   * Takes a connection that has no socket of Node, and passes its stream to `handler`, as {@link handOver} does. `true`: the
   * caller closes the handle, since the stream has a copy, or the descriptor limit is reached. `false`: it is as it was, since
   * there is no native part.
   */
  adopt(handle: AcceptedHandle, face: Face, handler: (stream: ConnectionStream, info: VisitorInfo) => void): boolean {
    // The handle is closed at once, so that all handles have low numbers: the number of the copy tells how many are in use.
    const adopted = ConnectionStream.adopt(handle.fd, this.#maxDescriptor)
    if (adopted === undefined) return false
    if (adopted === 'full') {
      this.#refuse(face.address)
      return true
    }
    const { stream, info } = adopted
    stream.onReleased = this.#count(face.address)
    this.#contain(
      face,
      () => handler(stream, info),
      () => stream.reset()
    )
    return true
  }

  #contain(face: Face, handle: () => void, end: () => void): void {
    try {
      handle()
    } catch (err) {
      this.#log.error({ err, ...face }, 'the handler of a new connection threw: the connection was closed')
      end()
    }
  }

  #closed(address: string): void {
    const left = (this.#open.get(address) ?? 1) - 1
    if (left > 0) {
      this.#open.set(address, left)
      return
    }
    this.#open.delete(address)
    this.#onClosed.delete(address)
  }

  /** A connection could not be accepted. Logged at most once in ten seconds. */
  failed(address: string, err: Error): void {
    this.#refused += 1
    const now = performance.now()
    if (now - this.#lastLog < LOG_INTERVAL_MS) return
    this.#log.error({ err, address, connections: this.#refused }, 'connections were refused')
    this.#lastLog = now
    this.#refused = 0
  }
}
