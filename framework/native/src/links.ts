import { type Engine, engineOf } from './engine.js'
import { JOIN, SHARED_COLUMNS } from './link-binding.js'
import type { LinkEvents } from './link-events.js'
import { takeTls } from './tls-sockets.js'
import type { Socket } from 'node:net'

/** Window of a new stream, of either side: the protocol fixes it. */
const INITIAL_WINDOW = 256 * 1024

/** Limits of a link. */
export interface LinkLimits {
  /** Bytes a stream sends while others wait, with its header. */
  readonly frameSize: number
  /** Largest window in bytes. */
  readonly maxWindow: number
  /** Bytes that wait, see `SHARED.used`. Beyond it each read is reported: `onFrames` has to reset a stream. */
  readonly maxBuffer: number
}

/** What a stream has reached when it is joined with a socket. */
export interface JoinedState {
  /** Bytes that the peer accepts. */
  readonly sendWindow: number
  /** Bytes that the peer may send, and the window it comes from. */
  readonly credit: number
  readonly window: number
  /** Consumed, and not granted yet. */
  readonly owed: number
  /** The first so many of `unread` were granted before. */
  readonly granted: number
  readonly acknowledged: boolean
  readonly ended: boolean
  /** Received for the socket. */
  readonly unread: Buffer
  /** What the peer gets first. @default nothing */
  readonly head?: Buffer | undefined
  /** The descriptor is the link's when it is joined, and no copy is made. @default false */
  readonly owned?: boolean
}

/** What a stream has reached that nothing was sent or received on. */
const FRESH: JoinedState = {
  sendWindow: INITIAL_WINDOW,
  credit: INITIAL_WINDOW,
  window: INITIAL_WINDOW,
  owed: 0,
  granted: 0,
  acknowledged: false,
  ended: false,
  unread: Buffer.alloc(0)
}

const numbers = new Float64Array(6)
const nothing = Buffer.alloc(0)

/**
 * A link of yamux that is read and written outside of JavaScript. Streams that are joined with a socket do not cross
 * into JavaScript; frames of all others do, and are written, by {@link write}, as whole frames.
 */
export class BatchedLink {
  readonly #links: Engine
  readonly #number: number

  private constructor(links: Engine, number: number) {
    this.#links = links
    this.#number = number
  }

  /**
   * Takes a copy of the descriptor of a connected socket. `undefined` where there is no native part, or no descriptor is
   * left.
   *
   * @param take memory to read into
   * @param shared heard, round trip in ms, bytes that wait, growth of windows; see `SHARED`
   * @param tls the TLS socket above it: the link does what it did, and the socket is left alone until it is destroyed
   */
  static open(
    descriptor: number,
    { frameSize, maxWindow, maxBuffer }: LinkLimits,
    take: () => Buffer,
    shared = new Float64Array(SHARED_COLUMNS),
    tls?: Socket
  ): BatchedLink | undefined {
    const all = engineOf(take)
    if (all === undefined) return undefined
    const number = all.binding.linkOpen(descriptor, shared, frameSize, maxWindow, maxBuffer)
    if (number < 0) return undefined
    if (tls === undefined || takeTls(all.binding, number, tls)) return new BatchedLink(all, number)
    all.binding.linkClose(number, 0)
    return undefined
  }

  /** Reads from now on. @param first bytes that were read before */
  start(events: LinkEvents, first: Buffer = nothing): void {
    this.#links.links.set(this.#number, events)
    this.#links.binding.linkStart(this.#number, first)
  }

  /** Why TLS has failed; empty otherwise. */
  get reason(): string {
    return this.#links.binding.linkReason(this.#number)
  }

  /** Whether all is sent; otherwise the rest is copied, and `onWritable` follows. */
  write(buffer: Buffer, start: number, end: number): boolean {
    return this.#links.binding.linkWrite(this.#number, buffer, start, end)
  }

  /** Ends it behind what was written. */
  end(): void {
    this.#links.binding.linkEnd(this.#number)
  }

  /** Gives the descriptor back, and resets what is joined but for what has left. */
  close(reset: boolean): void {
    this.#links.binding.linkClose(this.#number, reset ? 1 : 0)
  }

  /** Nothing is joined any more: no more is reported. */
  forget(): void {
    this.#links.links.delete(this.#number)
  }

  /** Joins a stream with the descriptor of a socket. `false`: it could not, within an event it never can. */
  join(id: number, descriptor: number, state: JoinedState): boolean {
    if (this.#links.delivering) return false
    const flags = (state.acknowledged ? JOIN.acknowledged : 0) | (state.ended ? JOIN.ended : 0)
    const all = state.owned === true ? flags | JOIN.owned : flags
    return this.#join(id, descriptor, state, all, state.head ?? nothing, nothing)
  }

  /**
   * Opens a stream that is joined with a socket, by `head`. The socket gets what follows `answer`; `onReady` says that it came,
   * `onAnswer` that it was another one. `false`: it could not.
   */
  open(id: number, descriptor: number, owned: boolean, head: Buffer, answer: Buffer): boolean {
    return this.#join(id, descriptor, FRESH, owned ? JOIN.opens | JOIN.owned : JOIN.opens, head, answer)
  }

  #join(id: number, descriptor: number, state: JoinedState, flags: number, head: Buffer, answer: Buffer): boolean {
    numbers[0] = state.sendWindow
    numbers[1] = state.credit
    numbers[2] = state.window
    numbers[3] = state.owed
    numbers[4] = state.granted
    numbers[5] = flags
    return this.#links.binding.streamJoin(this.#number, id, descriptor, numbers, state.unread, head, answer) === 0
  }

  /** What the peer has answered otherwise so far. */
  answer(id: number): Buffer {
    return this.#links.binding.streamAnswer(this.#number, id)
  }

  /** So many bytes of it accept the stream; the rest is for the socket. */
  accept(id: number, bytes: number): void {
    this.#links.binding.streamAccept(this.#number, id, bytes)
  }

  /** Resets its socket; the peer was told. */
  drop(id: number): void {
    this.#links.binding.streamDrop(this.#number, id)
  }

  /** The link takes no more of it; what was received still goes to the socket. */
  leave(id: number): void {
    this.#links.binding.streamLeave(this.#number, id)
  }

  /** Bytes sent, bytes received, bytes that wait for the socket, credit of the peer; of the last call. */
  stats(id: number): Float64Array {
    if (!this.#links.binding.streamStats(this.#number, id, numbers)) numbers.fill(0)
    return numbers
  }
}
