import type { TcpListening } from '@rystra/plugin'
import { answerStranger } from '@rystra/protocol'
import type { Socket } from 'node:net'

/** Bytes that are looked at. */
const MAX_HEAD = 16 * 1024

/** Milliseconds a stranger has to take our answer. */
const FAREWELL = 1000

/** What an {@link Opening} needs. */
export interface OpeningOptions {
  /** Who may want the connection, the one to be asked first in front. */
  members(): readonly TcpListening[]
  take(socket: Socket, member: TcpListening): void
  /** Called once: it is decided, or gone. */
  onOver(): void
  /** Milliseconds that it has to say whom it wants. */
  readonly timeout: number
}

/** A connection whose first bytes have to tell for whom it is. */
export class Opening {
  readonly #socket: Socket
  readonly #options: OpeningOptions
  readonly #timer: NodeJS.Timeout
  #bytes: Buffer = Buffer.alloc(0)
  #over = false

  constructor(socket: Socket, options: OpeningOptions) {
    this.#socket = socket
    this.#options = options
    this.#timer = setTimeout(() => this.decide(true), options.timeout)
    socket.on('readable', this.#look)
    socket.on('end', this.#ended)
    socket.on('close', this.drop)
    socket.on('error', this.drop)
  }

  readonly #look = (): void => {
    const before = this.#bytes.length
    for (let chunk = this.#socket.read() as Buffer | null; chunk !== null; chunk = this.#socket.read()) {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
    }
    if (this.#bytes.length > before) this.decide(this.#bytes.length >= MAX_HEAD)
  }

  /** Nothing more comes: who needs more does not get it, and a stream that has ended takes nothing back. */
  readonly #ended = (): void => {
    if (this.#finish()) this.#refuse()
  }

  /** Asks again. `last`: whoever is not sure by now does not want it. */
  decide(last = false): void {
    if (this.#over) return
    const members = this.#options.members()
    const [only] = members
    if (members.length === 1) {
      this.#handOver(only as TcpListening)
      return
    }
    const head = this.#bytes.subarray(0, MAX_HEAD)
    for (const member of head.length === 0 ? [] : members) {
      const wanted = asked(member, head)
      if (wanted === true) {
        this.#handOver(member)
        return
      }
      if (wanted === undefined && !last) return
    }
    if ((head.length > 0 || last) && this.#finish()) this.#refuse()
  }

  #handOver(member: TcpListening): void {
    if (!this.#finish()) return
    this.#socket.unshift(this.#bytes)
    this.#options.take(this.#socket, member)
  }

  /** Closes it without a word. */
  readonly drop = (): void => {
    if (!this.#finish()) return
    this.#socket.on('error', () => {})
    this.#socket.destroy()
  }

  #finish(): boolean {
    if (this.#over) return false
    this.#over = true
    clearTimeout(this.#timer)
    this.#socket.removeListener('readable', this.#look)
    this.#socket.removeListener('end', this.#ended)
    this.#socket.removeListener('close', this.drop)
    this.#socket.removeListener('error', this.drop)
    this.#options.onOver()
    return true
  }

  #refuse(): void {
    const socket = this.#socket
    socket.on('error', () => {})
    const answer = answerStranger(this.#bytes)
    if (answer === undefined) {
      socket.destroy()
      return
    }
    // What comes still has to be read: closing over it would reset the connection, and lose the answer.
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), FAREWELL)
    socket.once('close', () => clearTimeout(timer))
    socket.end(answer, () => setImmediate(() => socket.destroy()))
  }
}

/** A transport that fails over strange bytes does not want them. */
const asked = (member: TcpListening, head: Buffer): boolean | undefined => {
  try {
    return member.recognises(head)
  } catch {
    return false
  }
}
