import { FilteredStream, type Filters, type RawStream, rawOf } from '@rystra/bytes'
import type { DataTap, GenerationRef } from '@rystra/kernel'
import { RystraError, type StreamInfo } from '@rystra/model'
import type { Admission, Direction, Pacer, Through } from '@rystra/plugin'

const NONE: readonly never[] = []

/** What hooks have put into the path of one stream: transforms, paces and taps. */
export class StreamPath {
  readonly #info: StreamInfo
  readonly #generation: GenerationRef | undefined
  /** Made on first use: most streams have none. */
  #toService: readonly RawStream[] = NONE
  #toVisitor: readonly RawStream[] = NONE
  #pacers: readonly Pacer[] = NONE
  #taps: Readonly<Record<Direction, DataTap | undefined>> | undefined
  #over = false

  /** @param generation whose taps see the bytes; left out for a stream that no hook is asked about */
  constructor(info: StreamInfo, generation: GenerationRef | undefined) {
    this.#info = info
    this.#generation = generation
  }

  pace(pacer: Pacer): void {
    this.#pacers = [...this.#pacers, pacer]
  }

  through({ toService, toVisitor }: Through): void {
    if (toService !== undefined) this.#toService = [...this.#toService, rawOf(toService)]
    if (toVisitor !== undefined) this.#toVisitor = [...this.#toVisitor, rawOf(toVisitor)]
    // A tap may take longer than the stream lasts.
    if (this.#over) this.reset()
  }

  /** The stream is over: transforms are reset, used or not. */
  reset(): void {
    this.#over = true
    for (const stream of [...this.#toService, ...this.#toVisitor]) stream.reset()
  }

  /** Whether a tap, a transform or a pacer is in the path: then no byte may go another way. */
  get filtered(): boolean {
    return (
      this.#toService.length + this.#toVisitor.length + this.#pacers.length > 0 ||
      this.#tapOf('toService') !== undefined ||
      this.#tapOf('toVisitor') !== undefined
    )
  }

  /** Which taps concern the stream is decided once. */
  #tapOf(direction: Direction): DataTap | undefined {
    const calls = this.#generation?.calls
    if (calls === undefined) return undefined
    this.#taps ??= {
      toService: calls.dataTap(this.#info, 'toService'),
      toVisitor: calls.dataTap(this.#info, 'toVisitor')
    }
    return this.#taps[direction]
  }

  #paceOf(direction: Direction): ((bytes: number) => number) | undefined {
    const [only, ...others] = this.#pacers
    if (only === undefined) return undefined
    if (others.length === 0) return (bytes) => only(bytes, direction)
    return (bytes) => this.#pacers.reduce((longest, pacer) => Math.max(longest, pacer(bytes, direction)), 0)
  }

  /** @param writes Which way bytes go that are written into it */
  filter(raw: RawStream, writes: Direction): FilteredStream {
    const [there, back] = [this.#filters('toService'), this.#filters('toVisitor')]
    return new FilteredStream(raw, writes === 'toService' ? { write: there, read: back } : { write: back, read: there })
  }

  #filters(direction: Direction): Filters {
    const through = direction === 'toService' ? this.#toService : this.#toVisitor
    return { tap: this.#tapOf(direction), pace: this.#paceOf(direction), through }
  }

  /**
   * What was put into the path, for visitors whose datagrams are passed on one by one. Throws `stream.refused` when there
   * is a transform, since those know bytes and not datagrams.
   */
  byDatagram(): Pick<Admission, 'pace' | 'tap'> {
    if (this.#toService.length + this.#toVisitor.length > 0) {
      const detail = 'a hook put a transform into the path of datagrams; let its `concerns` leave this kind out'
      throw new RystraError('stream.refused', { side: this.#info.side, detail })
    }
    const [toService, toVisitor] = [this.#tapOf('toService'), this.#tapOf('toVisitor')]
    const [paceThere, paceBack] = [this.#paceOf('toService'), this.#paceOf('toVisitor')]
    return {
      ...(paceThere === undefined || paceBack === undefined
        ? {}
        : { pace: (bytes, direction) => (direction === 'toService' ? paceThere(bytes) : paceBack(bytes)) }),
      ...(toService === undefined && toVisitor === undefined
        ? {}
        : { tap: (datagram, direction) => (direction === 'toService' ? toService : toVisitor)?.(datagram) ?? datagram })
    }
  }
}
