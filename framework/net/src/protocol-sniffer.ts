import type { TcpListening } from '@rystra/plugin'
import { answerForeignProtocol } from '@rystra/protocol'
import type { Socket } from 'node:net'

/** Bytes that are read to recognise the protocol. */
const MAX_HEAD_BYTES = 16 * 1024

/** Time a refused peer has to read the answer. */
const CLOSE_TIMEOUT_MS = 1000

/** What a {@link ProtocolSniffer} needs. */
export interface SnifferOptions {
  /** The listeners of the port, in the order in which they are asked. */
  listeners(): readonly TcpListening[]
  accept(socket: Socket, listener: TcpListening): void
  /** Called once, when the connection is handed over, refused or gone. */
  onDone(): void
  /** Milliseconds until the protocol must be recognised. */
  readonly timeout: number
}

/** Reads the first bytes of a connection until one of the listeners of its port recognises them. */
export class ProtocolSniffer {
  readonly #socket: Socket
  readonly #options: SnifferOptions
  readonly #timer: NodeJS.Timeout
  #bytes: Buffer = Buffer.alloc(0)
  #done = false

  constructor(socket: Socket, options: SnifferOptions) {
    this.#socket = socket
    this.#options = options
    this.#timer = setTimeout(() => this.decide(true), options.timeout)
    socket.on('readable', this.#read)
    socket.on('end', this.#ended)
    socket.on('close', this.drop)
    socket.on('error', this.drop)
  }

  readonly #read = (): void => {
    const before = this.#bytes.length
    for (let chunk = this.#socket.read() as Buffer | null; chunk !== null; chunk = this.#socket.read()) {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    }
    if (this.#bytes.length > before) this.decide(this.#bytes.length >= MAX_HEAD_BYTES)
  }

  /** A stream that has ended takes no bytes back, so that it cannot be handed over. */
  readonly #ended = (): void => {
    if (this.#finish()) this.#refuse()
  }

  /** Asks the listeners again. `last`: a listener that needs more bytes is passed over. */
  decide(last = false): void {
    if (this.#done) return
    const listeners = this.#options.listeners()
    const [only] = listeners
    if (listeners.length === 1) {
      this.#handOver(only as TcpListening)
      return
    }
    const head = this.#bytes.subarray(0, MAX_HEAD_BYTES)
    for (const listener of head.length === 0 ? [] : listeners) {
      const recognised = recognises(listener, head)
      if (recognised === true) {
        this.#handOver(listener)
        return
      }
      if (recognised === undefined && !last) return
    }
    if ((head.length > 0 || last) && this.#finish()) this.#refuse()
  }

  #handOver(listener: TcpListening): void {
    if (!this.#finish()) return
    this.#socket.unshift(this.#bytes)
    this.#options.accept(this.#socket, listener)
  }

  /** Closes the connection without an answer. */
  readonly drop = (): void => {
    if (!this.#finish()) return
    this.#socket.on('error', () => {})
    this.#socket.destroy()
  }

  #finish(): boolean {
    if (this.#done) return false
    this.#done = true
    clearTimeout(this.#timer)
    this.#socket.removeListener('readable', this.#read)
    this.#socket.removeListener('end', this.#ended)
    this.#socket.removeListener('close', this.drop)
    this.#socket.removeListener('error', this.drop)
    this.#options.onDone()
    return true
  }

  #refuse(): void {
    const socket = this.#socket
    socket.on('error', () => {})
    const answer = answerForeignProtocol(this.#bytes)
    if (answer === undefined) {
      socket.destroy()
      return
    }
    // Closing with unread bytes would reset the connection and lose the answer.
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), CLOSE_TIMEOUT_MS)
    socket.once('close', () => clearTimeout(timer))
    socket.end(answer, () => setImmediate(() => socket.destroy()))
  }
}

/** A listener that throws does not recognise the bytes. */
const recognises = (listener: TcpListening, head: Buffer): boolean | undefined => {
  try {
    return listener.recognises(head)
  } catch {
    return false
  }
}
