import { type Pump, pump, type RawReader, type RawStream, rawOf } from '@rystra/bytes'
import { RystraError, type StreamInfo, toRystraError } from '@rystra/model'
import type {
  Admission,
  CloseReason,
  CloseStreamContext,
  Clock,
  DataTap,
  Deny,
  GenerationRef,
  Direction,
  OpenStreamContext,
  Pacer,
  Relay,
  Through
} from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { CountedFlow } from './datagram-flows.js'

/** What is said at the head of a stream, besides what is relayed. See `pump` of `@rystra/bytes`. */
export interface RelayHeads {
  readonly headToService?: Buffer
  readonly headToVisitor?: Buffer
  /** Milliseconds a head waits for the first byte to go with it. @default 0 */
  readonly headWait?: number
  /** Takes off what the service's side says first. */
  readonly headOfService?: (reader: RawReader) => RawReader
}

/** A stream's life at one end: onOpenStream, relay, onCloseStream, all in the generation it began in. */
export class StreamRun {
  readonly info: StreamInfo
  readonly #generation: GenerationRef
  readonly #release: () => void
  readonly #clock: Clock
  readonly #report: (context: CloseStreamContext) => void
  readonly #since: number
  readonly #toService: RawStream[] = []
  readonly #toVisitor: RawStream[] = []
  readonly #pacers: Pacer[] = []
  readonly #hooked: boolean
  #flow: CountedFlow | undefined
  #flowGoes: Direction = 'toService'
  #over = false

  /**
   * @param report called after the hook, once, when the stream is over
   * @param hooked `false` for a stream that carries many visitors, whose bytes are no visitor's
   */
  constructor(
    info: StreamInfo,
    generation: GenerationRef,
    clock: Clock,
    report: (context: CloseStreamContext) => void,
    hooked = true
  ) {
    this.#hooked = hooked
    this.info = info
    this.#report = report
    this.#generation = generation
    this.#release = generation.hold()
    this.#clock = clock
    this.#since = clock.now()
  }

  /** Asks onOpenStream. `undefined` at once when no tap concerns the stream. */
  admit(): Promise<Deny | undefined> | undefined {
    if (!this.#hooked) return undefined
    const context: OpenStreamContext = {
      ...this.info,
      pace: (pacer) => this.pace(pacer),
      through: ({ toService, toVisitor }: Through) => {
        if (toService !== undefined) this.#toService.push(rawOf(toService))
        if (toVisitor !== undefined) this.#toVisitor.push(rawOf(toVisitor))
        // By a tap that took longer than the stream lasted.
        if (this.#over) this.#giveUpTransforms()
      }
    }
    return this.#generation.calls.openStream(context)
  }

  /** Slows the stream down, see `OpenStreamContext.pace`. Before it is relayed. */
  pace(pacer: Pacer): void {
    this.#pacers.push(pacer)
  }

  #paceOf(direction: Direction): ((bytes: number) => number) | undefined {
    const [only, ...others] = this.#pacers
    if (only === undefined) return undefined
    if (others.length === 0) return (bytes) => only(bytes, direction)
    return (bytes) => this.#pacers.reduce((longest, pacer) => Math.max(longest, pacer(bytes, direction)), 0)
  }

  /** Datagrams beside it count as its bytes. @param goes where those go that are sent into the flow */
  beside(flow: CountedFlow, goes: Direction): void {
    this.#flow = flow
    this.#flowGoes = goes
  }

  /** Bytes of the datagrams beside it so far. */
  besides(direction: Direction): number {
    const flow = this.#flow
    if (flow === undefined) return 0
    return direction === this.#flowGoes ? flow.sent : flow.received
  }

  /**
   * Whether something is in the path: a tap, a transform or a pacer. Then no byte may go another way, beside the stream
   * or by another relay.
   */
  get shaped(): boolean {
    return (
      this.#toService.length + this.#toVisitor.length + this.#pacers.length > 0 ||
      this.#tapOf('toService') !== undefined ||
      this.#tapOf('toVisitor') !== undefined
    )
  }

  #tapOf(direction: Direction): DataTap | undefined {
    return this.#hooked ? this.#generation.calls.dataTap(this.info, direction) : undefined
  }

  /**
   * What was put into the path, for visitors whose datagrams are passed on one by one. Throws `stream.refused` when there
   * is a transform, since those know bytes and not datagrams.
   */
  byDatagram(): Pick<Admission, 'pace' | 'tap'> {
    if (this.#toService.length + this.#toVisitor.length > 0) {
      const detail = 'a hook put a transform into the path of datagrams; let its `concerns` leave this kind out'
      throw new RystraError('stream.refused', { side: this.info.side, detail })
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

  /** A registered relay that can join the two, if nothing is in the path. */
  relayFor(visitor: Duplex, service: Duplex): Relay | undefined {
    const { relays } = this.#generation.registries
    if (relays.list().length === 0 || this.shaped) return undefined
    return relays
      .list()
      .map((name) => relays.get(name))
      .find((relay) => relay.accepts(visitor, service))
  }

  /** Joins both sides until they are closed, then reports. */
  relay(
    visitor: RawStream,
    service: RawStream,
    done: (error?: RystraError) => void,
    { headToService, headToVisitor, headWait, headOfService }: RelayHeads = {}
  ): Pump {
    return pump(
      visitor,
      service,
      (toService, toVisitor, error) => {
        const failure = error === undefined ? undefined : toRystraError(error, 'stream.reset')
        this.close(failure === undefined ? 'end' : reasonOf(failure), toService, toVisitor, failure)
        done(failure)
      },
      {
        aToB: {
          tap: this.#tapOf('toService'),
          through: this.#toService,
          head: headToService,
          headWait,
          pace: this.#paceOf('toService')
        },
        bToA: {
          tap: this.#tapOf('toVisitor'),
          through: this.#toVisitor,
          head: headToVisitor,
          headWait,
          pace: this.#paceOf('toVisitor')
        },
        headOfB: headOfService
      }
    )
  }

  /** Joins both sides by a registered relay, then reports. */
  async relayBy(relay: Relay, visitor: Duplex, service: Duplex, signal: AbortSignal): Promise<RystraError | undefined> {
    try {
      const { bytesToService, bytesToVisitor, error } = await relay.join(visitor, service, signal)
      const failure = error === undefined ? undefined : toRystraError(error, 'stream.reset')
      this.close(failure === undefined ? 'end' : 'reset', bytesToService, bytesToVisitor, failure)
      return failure
    } catch (error) {
      const failure = toRystraError(error, 'internal', { detail: `relay ${relay.name}` })
      visitor.destroy(failure)
      service.destroy(failure)
      this.close('error', 0, 0, failure)
      return failure
    }
  }

  /** Reports a stream that came to nothing. */
  refuse(error: RystraError): void {
    this.close('refused', 0, 0, error)
  }

  /** Reports the end of the stream; once. Transforms that were put into its path are given up, used or not. */
  close(reason: CloseReason, toService: number, toVisitor: number, error?: RystraError): void {
    if (this.#over) return
    this.#over = true
    this.#giveUpTransforms()
    const duration = this.#clock.now() - this.#since
    const bytesToService = toService + this.besides('toService')
    const bytesToVisitor = toVisitor + this.besides('toVisitor')
    const ended = { ...this.info, bytesToService, bytesToVisitor, duration, reason }
    const context: CloseStreamContext = error === undefined ? ended : { ...ended, error }
    try {
      if (this.#hooked) this.#generation.calls.closeStream(context)
      this.#report(context)
    } finally {
      this.#release()
    }
  }

  #giveUpTransforms(): void {
    for (const stream of [...this.#toService, ...this.#toVisitor]) stream.reset()
  }
}

const reasonOf = (error: RystraError): CloseReason => {
  if (error.code === 'stream.reset' || error.code === 'session.lost' || error.code === 'mux.closed') return 'reset'
  return error.code.startsWith('hook.') ? 'error' : 'refused'
}

/** The refusal that a deny of onOpenStream is: one that will not last is a limit, one that is hidden is no place at all. */
export const refusedBy = ({ deny, retryAfter, hidden }: Deny, side: 'server' | 'client'): RystraError => {
  const code = hidden === true ? 'stream.no-visits' : retryAfter === undefined ? 'stream.refused' : 'stream.limit'
  return new RystraError(code, { side, detail: deny })
}
