import { CountedStream, type RawStream, type Verdict } from '@rystra/bytes'
import type { Channel, ChannelWork } from '@rystra/plugin'
import { Flag, FrameType } from './frame/types.js'
import { FRAME_HEADER, MAX_CALLS } from './limits.js'

/** What a drain of either session waits for on two joined channels of calls: those that are not answered, by the headers of frames alone. */
export class RelayedCalls implements ChannelWork {
  /** Calls of each side by their number. Bounded: two clients that agree must not fill the memory of the server. */
  readonly #waiting = [new Set<number>(), new Set<number>()] as const
  /** There were more than are kept: from then on something is waited for as long as the channels are open. */
  #isIncomplete = false

  /** Streams to be joined, in whose place these are. */
  watch(...[a, b]: readonly [Channel, Channel]): [RawStream, RawStream] {
    a.work = this
    b.work = this
    return [
      new FrameStream(a.stream, (type, flags, id) => this.#onFrame(0, type, flags, id)),
      new FrameStream(b.stream, (type, flags, id) => this.#onFrame(1, type, flags, id))
    ]
  }

  get inFlight(): number {
    return this.#waiting[0].size + this.#waiting[1].size + (this.#isIncomplete ? 1 : 0)
  }

  /** Each session sends a GoAway of its own. */
  goAway(): void {}

  #onFrame(from: 0 | 1, type: number, flags: number, id: number): void {
    const [own, other] = [this.#waiting[from], this.#waiting[from === 0 ? 1 : 0]]
    const isLast = (flags & Flag.more) === 0
    if (type === FrameType.request) {
      if (own.size < MAX_CALLS) own.add(id)
      else this.#isIncomplete = true
    } else if (type === FrameType.cancel) own.delete(id)
    else if (
      type === FrameType.error ||
      (isLast && (type === FrameType.response || (type === FrameType.data && (flags & Flag.answer) !== 0)))
    )
      other.delete(id)
  }
}

/** Finds the headers of the frames that are read. What is malformed is for the end that gets it. */
class FrameStream extends CountedStream {
  readonly #onFrame: (type: number, flags: number, id: number) => void
  readonly #header = Buffer.alloc(FRAME_HEADER)
  #have = 0
  #rest = 0

  constructor(stream: RawStream, onFrame: (type: number, flags: number, id: number) => void) {
    super(stream)
    this.#onFrame = onFrame
  }

  /** The native part would move bytes past this. */
  override get detach(): undefined {
    return undefined
  }

  override get offload(): undefined {
    return undefined
  }

  override onBytes(buffer: Buffer, start: number, end: number, shared: boolean): Verdict {
    let at = start
    while (at < end) {
      const wanted = this.#rest > 0 ? this.#rest : FRAME_HEADER - this.#have
      const taken = Math.min(wanted, end - at)
      if (this.#rest > 0) this.#rest -= taken
      else {
        this.#have += buffer.copy(this.#header, this.#have, at, at + taken)
        if (this.#have === FRAME_HEADER) this.#frame()
      }
      at += taken
    }
    return super.onBytes(buffer, start, end, shared)
  }

  #frame(): void {
    const header = this.#header
    this.#have = 0
    this.#rest = header.readUInt16BE(2)
    this.#onFrame(header[0] as number, header[1] as number, header.readUInt32BE(4))
  }
}
