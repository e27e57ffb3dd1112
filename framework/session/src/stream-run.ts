import { type Pump, pump, type RawReader, type RawStream, rawOf } from '@rystra/bytes'
import { RystraError, type StreamInfo, toRystraError } from '@rystra/model'
import type {
  CloseReason,
  CloseStreamContext,
  Clock,
  Deny,
  GenerationRef,
  Direction,
  OpenStreamContext,
  Pacer,
  Relay,
  Through
} from '@rystra/plugin'
import type { Duplex } from 'node:stream'

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
  #over = false

  /** @param report called after the hook, once, when the stream is over */
  constructor(
    info: StreamInfo,
    generation: GenerationRef,
    clock: Clock,
    report: (context: CloseStreamContext) => void
  ) {
    this.info = info
    this.#report = report
    this.#generation = generation
    this.#release = generation.hold()
    this.#clock = clock
    this.#since = clock.now()
  }

  /** Asks onOpenStream. `undefined` at once when no tap concerns the stream. */
  admit(): Promise<Deny | undefined> | undefined {
    const context: OpenStreamContext = {
      ...this.info,
      pace: (pacer) => this.pace(pacer),
      through: ({ toService, toVisitor }: Through) => {
        if (toService !== undefined) this.#toService.push(rawOf(toService))
        if (toVisitor !== undefined) this.#toVisitor.push(rawOf(toVisitor))
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

  /** Whether a tap or a transform is in the path. */
  get #shaped(): boolean {
    const { calls } = this.#generation
    return (
      this.#toService.length + this.#toVisitor.length + this.#pacers.length > 0 ||
      calls.dataTap(this.info, 'toService') !== undefined ||
      calls.dataTap(this.info, 'toVisitor') !== undefined
    )
  }

  /** A registered relay that can join the two, if nothing is in the path. */
  relayFor(visitor: Duplex, service: Duplex): Relay | undefined {
    const { relays } = this.#generation.registries
    if (relays.list().length === 0 || this.#shaped) return undefined
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
    const { calls } = this.#generation
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
          tap: calls.dataTap(this.info, 'toService'),
          through: this.#toService,
          head: headToService,
          headWait,
          pace: this.#paceOf('toService')
        },
        bToA: {
          tap: calls.dataTap(this.info, 'toVisitor'),
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
    for (const stream of [...this.#toService, ...this.#toVisitor]) stream.reset()
    this.close('refused', 0, 0, error)
  }

  /** Reports the end of the stream; once. */
  close(reason: CloseReason, bytesToService: number, bytesToVisitor: number, error?: RystraError): void {
    if (this.#over) return
    this.#over = true
    const duration = this.#clock.now() - this.#since
    const ended = { ...this.info, bytesToService, bytesToVisitor, duration, reason }
    const context: CloseStreamContext = error === undefined ? ended : { ...ended, error }
    try {
      this.#generation.calls.closeStream(context)
      this.#report(context)
    } finally {
      this.#release()
    }
  }
}

const reasonOf = (error: RystraError): CloseReason => {
  if (error.code === 'stream.reset' || error.code === 'session.lost' || error.code === 'mux.closed') return 'reset'
  return error.code.startsWith('hook.') ? 'error' : 'refused'
}

/** The refusal that a deny of onOpenStream is: one that will not last is a limit. */
export const refusedBy = ({ deny, retryAfter }: Deny, side: 'server' | 'client'): RystraError =>
  new RystraError(retryAfter === undefined ? 'stream.refused' : 'stream.limit', { side, detail: deny })
