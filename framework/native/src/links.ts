import { EVENT, EVENT_COLUMNS, type LinkBinding, MAX_EVENTS, SHARED_COLUMNS } from './link-binding.js'
import { loadNative } from './load.js'

/** What a link reports. None is called from within a call of the link. */
export interface LinkEvents {
  /**
   * Frames of streams that are not joined, from the first to the last byte of each. With `shared` memory they are valid
   * until the call returns, as without unless it answers `true`: then the memory is the reader's. A read beyond
   * `maxBuffer` is reported without frames too.
   */
  onFrames(memory: Buffer, start: number, end: number, shared: boolean): boolean
  onEnd(): void
  /** @param errno 0: both directions have ended */
  onLost(errno: number): void
  onWritable(): void
  /** The peer has acknowledged a stream. */
  onAcknowledged(id: number): void
  /** The socket of a stream has ended, and all of it was sent. */
  onEndSent(id: number): void
  onEndReceived(id: number): void
  /**
   * A stream is over: the numbers of its bytes are final, its socket is the caller's again.
   *
   * @param reason 0 for a clean end, an errno of its socket, or one of `OVER`
   */
  onOver(id: number, reason: number, sent: number, received: number): void
  /** The peer has violated the protocol. */
  onViolation(id: number, syn: boolean): void
}

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
}

/** A number of 64 bits, in two columns. */
const wide = (rows: Int32Array, at: number): number =>
  ((rows[at] as number) >>> 0) * 2 ** 32 + ((rows[at + 1] as number) >>> 0)

/** The links of a thread. */
class Links {
  readonly binding: LinkBinding
  readonly open = new Map<number, LinkEvents>()
  readonly #take: () => Buffer
  readonly #rows = new Int32Array(EVENT_COLUMNS * MAX_EVENTS)
  #memory: Buffer
  /** Frames are being told: the native part is ahead of JavaScript. */
  delivering = false

  constructor(binding: LinkBinding, take: () => Buffer) {
    this.binding = binding
    this.#take = take
    this.#memory = take()
  }

  start(): boolean {
    return this.binding.yamuxSetup(this.#memory, this.#rows, (count) => this.#deliver(count))
  }

  #deliver(count: number): void {
    this.delivering = true
    for (let at = 0; at < count * EVENT_COLUMNS; at += EVENT_COLUMNS) {
      const link = this.open.get(this.#rows[at] as number)
      if (link === undefined) continue
      try {
        this.#tell(link, at)
      } catch (error) {
        // The events behind it may be of other links.
        process.nextTick(() => {
          throw error
        })
      }
    }
    this.delivering = false
  }

  #tell(link: LinkEvents, at: number): void {
    const rows = this.#rows
    const a = rows[at + 2] as number
    const b = rows[at + 3] as number
    const c = rows[at + 4] as number
    switch (rows[at + 1]) {
      case EVENT.bytes:
        if (link.onFrames(this.#memory, a, b, c === 0)) {
          this.#memory = this.#take()
          this.binding.yamuxMemory(this.#memory)
        }
        break
      case EVENT.linkEnd:
        link.onEnd()
        break
      case EVENT.linkLost:
        link.onLost(a)
        break
      case EVENT.writable:
        link.onWritable()
        break
      case EVENT.acknowledged:
        link.onAcknowledged(a >>> 0)
        break
      case EVENT.endSent:
        link.onEndSent(a >>> 0)
        break
      case EVENT.endReceived:
        link.onEndReceived(a >>> 0)
        break
      case EVENT.over:
        link.onOver(a >>> 0, b, wide(rows, at + 4), wide(rows, at + 6))
        break
      default:
        link.onViolation(a >>> 0, b === 1)
    }
  }
}

/** A binary, and its links: `false` where it has none. One set of them, as of what {@link loadNative} keeps. */
type Kept = LinkBinding & { links?: Links | false }

const linksOf = (take: () => Buffer): Links | undefined => {
  const binding: Kept | undefined = loadNative()?.binding
  if (binding === undefined) return undefined
  if (binding.links === undefined) {
    const made = new Links(binding, take)
    binding.links = made.start() && made
  }
  return binding.links || undefined
}

const numbers = new Float64Array(6)
const nothing = Buffer.alloc(0)

/**
 * A link of yamux that is read and written outside of JavaScript. Streams that are joined with a socket do not cross
 * into JavaScript; frames of all others do, and are written, by {@link write}, as whole frames.
 */
export class BatchedLink {
  readonly #links: Links
  readonly #number: number

  private constructor(links: Links, number: number) {
    this.#links = links
    this.#number = number
  }

  /**
   * Takes a copy of the descriptor of a connected socket. `undefined` where there is no native part, or no descriptor is
   * left.
   *
   * @param take memory to read into
   * @param shared heard, round trip in ms, bytes that wait, growth of windows; see `SHARED`
   */
  static open(
    descriptor: number,
    { frameSize, maxWindow, maxBuffer }: LinkLimits,
    take: () => Buffer,
    shared = new Float64Array(SHARED_COLUMNS)
  ): BatchedLink | undefined {
    const all = linksOf(take)
    if (all === undefined) return undefined
    const number = all.binding.linkOpen(descriptor, shared, frameSize, maxWindow, maxBuffer)
    return number < 0 ? undefined : new BatchedLink(all, number)
  }

  /** Reads from now on. @param first bytes that were read before */
  start(events: LinkEvents, first: Buffer = nothing): void {
    this.#links.open.set(this.#number, events)
    this.#links.binding.linkStart(this.#number, first)
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
    this.#links.open.delete(this.#number)
  }

  /** Joins a stream with a copy of the descriptor of a socket. `false`: it could not, within an event it never can. */
  join(id: number, descriptor: number, state: JoinedState): boolean {
    if (this.#links.delivering) return false
    numbers[0] = state.sendWindow
    numbers[1] = state.credit
    numbers[2] = state.window
    numbers[3] = state.owed
    numbers[4] = state.granted
    numbers[5] = (state.acknowledged ? 1 : 0) | (state.ended ? 2 : 0)
    return this.#links.binding.streamJoin(this.#number, id, descriptor, numbers, state.unread) === 0
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
