import { CountedStream, type Pump, type PumpDone, pump, type RawStream } from '@rystra/bytes'
import { RystraError, type StreamInfo, toRystraError } from '@rystra/model'
import type {
  Admission,
  AdmittedFlow,
  CloseReason,
  CloseStreamContext,
  Deny,
  Direction,
  Pacer,
  StreamHandle,
  StreamStats
} from '@rystra/plugin'
import type { CountedFlow } from './datagram-flows.js'
import type { OutgoingStream } from './outgoing-stream.js'
import { joinBy, relayFor } from './relay-for.js'
import { isRefusal, limitReached, reasonOf, refusedBy } from './refusals.js'
import { StreamBytes } from './stream-bytes.js'
import type { StreamHost } from './stream-host.js'
import { StreamPath } from './stream-path.js'
import { isTraceparent } from './traceparent.js'

/** One stream at one end: onOpenStream, its bytes, onCloseStream, all in the generation it began in. */
export class StreamLifecycle implements StreamHandle {
  readonly info: StreamInfo
  readonly id: string
  readonly #host: StreamHost
  /** Which way bytes go that are written into it. */
  readonly #writes: Direction
  readonly #hooked: boolean
  readonly #release: () => void
  readonly #path: StreamPath
  readonly #bytes: StreamBytes
  #raw: CountedStream | undefined
  #opened: OutgoingStream | undefined
  #pump: Pump | undefined
  #closing: RystraError | undefined
  /** The other side left before it was opened. */
  #left = false
  /** Called when it is closed before there is a stream. */
  onGivenUp: ((error: RystraError) => void) | undefined
  /** What hooks want the other end to know of their trace. */
  trace: string | undefined
  /** Hooks are asked. */
  #asking = false
  #over = false

  constructor(info: StreamInfo, writes: Direction, host: StreamHost) {
    this.info = info
    this.id = `${info.session.id}.${info.id}`
    this.#writes = writes
    this.#bytes = new StreamBytes(writes, host.clock.now())
    this.#host = host
    this.#hooked = host.hooked ?? true
    this.#release = host.generation.hold()
    this.#path = new StreamPath(info, this.#hooked ? host.generation : undefined)
    for (const table of host.tables) table.add(this)
  }

  stats(): StreamStats {
    return { ...this.#bytes.stats(), paused: this.#raw?.paused === true || this.#pump?.paused === true }
  }

  close(error: RystraError = new RystraError('stream.reset', { side: this.info.side })): void {
    if (this.#pump !== undefined) this.#pump.reset(error)
    else if (this.#raw !== undefined) this.#raw.fail(error)
    else if (this.#closing === undefined) {
      this.#closing = error
      this.onGivenUp?.(error)
    }
  }

  /** Asks onOpenStream. `undefined` at once when no tap concerns the stream. */
  admit(): Promise<Deny | undefined> | undefined {
    if (!this.#hooked) return undefined
    return this.#host.generation.calls.openStream({
      carryTrace: (traceparent) => {
        if (isTraceparent(traceparent)) this.trace = traceparent
      },
      pace: (pacer) => this.#path.pace(pacer),
      through: (transforms) => this.#path.through(transforms),
      ...this.info
    })
  }

  /** Slows the stream down, see `OpenStreamContext.pace`. */
  pace(pacer: Pacer): void {
    this.#path.pace(pacer)
  }

  /** Whether a tap, a transform or a pacer is in the path: then no byte may go another way. */
  get filtered(): boolean {
    return this.#path.filtered
  }

  /** See {@link StreamPath.byDatagram}. */
  byDatagram(): Pick<Admission, 'pace' | 'tap'> {
    return this.#path.byDatagram()
  }

  /** It is one of many visitors whose datagrams share a stream. */
  attachFlow(flow: AdmittedFlow): void {
    this.#bytes.visitorFlow = flow
    this.onGivenUp = (error) => flow.end(error)
    if (this.#closing !== undefined) flow.end(this.#closing)
  }

  /** Datagrams beside it count as its bytes. @param goes where those go that are sent into the flow */
  attachDatagrams(flow: CountedFlow, goes: Direction): void {
    this.#bytes.attach(flow, goes)
  }

  /**
   * Asks the hooks, then opens. Resolves with whether hooks checked it. Rejects with what refuses it: a deny, what
   * `open` throws, or at once with an end meanwhile; what is opened later is reset.
   *
   * @param limit how many streams of the session hooks may be asked about at a time
   */
  open(open: () => Promise<OutgoingStream>, limit = Number.POSITIVE_INFINITY): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const failed = (cause: unknown): void => {
        const error = toRystraError(cause, 'stream.reset')
        if (!this.#over) {
          this.report(this.#left ? 'reset' : 'refused', 0, 0, error)
          if (!this.#left) this.#host.refused?.(error)
        }
        reject(error)
      }
      this.onGivenUp = failed
      this.#open(open, limit).then(resolve, failed)
    })
  }

  async #open(open: () => Promise<OutgoingStream>, limit: number): Promise<boolean> {
    const hooked = await this.#admitted(limit)
    if (this.#closing !== undefined) throw this.#closing
    const opened = await open()
    if (this.#closing !== undefined) {
      opened.reset()
      throw this.#closing
    }
    this.#opened = opened
    if (opened.flow !== undefined) this.attachDatagrams(opened.flow, this.#writes)
    this.#carry(this.filtered ? this.#path.filter(opened, this.#writes) : opened)
    opened.ready().then(
      () => this.reached(),
      (error: RystraError) => {
        if (!opened.abandoned) this.refused(error)
      }
    )
    return hooked
  }

  async #admitted(limit: number): Promise<boolean> {
    const [table] = this.#host.tables
    if (table !== undefined && table.asking >= limit) throw limitReached(this.info)
    const pending = this.admit()
    if (pending === undefined) return false
    this.#asking = true
    try {
      const denied = await (table?.counting(pending) ?? pending)
      if (denied !== undefined) throw refusedBy(denied, this.info.side)
      return true
    } finally {
      this.#asking = false
    }
  }

  /** Takes a stream over that the other end has opened, and whose service is reached. `head` says so. */
  accept(raw: RawStream, head: { readonly bytes: Buffer; readonly wait: number }): void {
    this.reached()
    const counted = this.filtered ? this.#path.filter(raw, this.#writes) : new CountedStream(raw)
    counted.sendHead(head)
    this.#carry(counted)
    if (this.#closing !== undefined) counted.fail(this.#closing)
  }

  /** The service was reached. */
  reached(): void {
    const connectTime = this.#bytes.reached(this.#host.clock.now())
    for (const table of this.#host.tables) table.reached(connectTime)
    this.#host.ready?.()
  }

  /** The other end has refused it. */
  refused(error: RystraError): void {
    this.#host.refused?.(error)
  }

  #carry(raw: CountedStream): void {
    this.#raw = this.#bytes.raw = raw
    raw.onOver = (error) => {
      if (this.#pump === undefined) this.#end(error)
    }
  }

  /** The open stream; its user's. */
  get stream(): CountedStream {
    if (this.#raw === undefined) throw new RystraError('internal', { detail: 'a stream that is not open' })
    return this.#raw
  }

  /** Resolves when the service is reached; see {@link OutgoingStream.ready}. */
  ready(): Promise<void> {
    return this.#opened?.ready() ?? Promise.resolve()
  }

  /** Gives it up when the other side, which is to be joined, closes before. */
  follow(other: RawStream): void {
    const gone = (): void => {
      this.#left = true
      this.close(new RystraError('stream.reset', { side: this.info.side, detail: 'the visitor has left' }))
    }
    other.onClose = gone
    if (other.closed) gone()
    else if (this.#asking) other.watch?.()
  }

  /** Waits for {@link ready} on behalf of the other side that is to be joined; gives up when that closes. */
  async readyFor(other: RawStream): Promise<void> {
    this.follow(other)
    await this.ready()
    other.onClose = undefined
  }

  /** The flow that was opened beside it, whether or not the other end has it. */
  get flow(): CountedFlow | undefined {
    return this.#opened?.flow
  }

  /** The flow of datagrams that the other end has too. Of use once it is ready. */
  get datagrams(): CountedFlow | undefined {
    return this.#opened?.hasDatagrams === true ? this.#opened.flow : undefined
  }

  /** Joins the other side, a visitor or a service, to it. @param done called when both are closed */
  join(other: RawStream, done: () => void = () => {}): void {
    const { stream } = this
    const [a, b] = this.#writes === 'toService' ? [other, stream] : [stream, other]
    const over = (_aToB: number, _bToA: number, error?: Error): void => {
      this.#end(error)
      done()
    }
    const relay = relayFor(this.#host.generation.registries.relays, a, b)
    if (relay === undefined) {
      this.#pump = pump(a, b, over)
      return
    }
    stream.flushHead()
    other.onClose = (error) => stream.fail(error ?? new RystraError('stream.reset'))
    this.ready().then(
      () => {
        const failed = (error: RystraError): void => this.report('error', 0, 0, error)
        this.#bytes.counts = joinBy(relay, a, b, over, failed)
        this.#pump = this.#bytes.counts ?? pump(a, b, over)
      },
      () => {
        other.reset()
        done()
      }
    )
  }

  /** Whether nothing has to see its bytes: link and connection may pass them on by themselves. */
  get unseen(): boolean {
    return !this.filtered && this.#host.generation.registries.relays.list().length === 0
  }

  /** It is relayed without passing here, see {@link openJoined}. */
  joined(relayed: (done: PumpDone) => Pump): void {
    this.#pump = this.#bytes.counts = relayed((_aToB, _bToA, error) => this.#end(error))
  }

  #end(cause: Error | undefined): void {
    const error = cause === undefined ? undefined : toRystraError(cause, 'stream.reset')
    const reason = error === undefined ? 'end' : reasonOf(error)
    this.report(reason, this.#bytes.stream('toService'), this.#bytes.stream('toVisitor'), error)
  }

  /** Reports the end of the stream; once. Transforms that were put into its path are reset, used or not. */
  report(reason: CloseReason, toService: number, toVisitor: number, error?: RystraError): void {
    if (this.#over) return
    this.#over = true
    this.#path.reset()
    this.#bytes.close()
    const duration = this.#host.clock.now() - this.#bytes.openedAt
    const bytesToService = toService + this.#bytes.datagrams('toService')
    const bytesToVisitor = toVisitor + this.#bytes.datagrams('toVisitor')
    const code = isRefusal(reason) ? error?.code : undefined
    for (const table of this.#host.tables) table.delete(this, bytesToService, bytesToVisitor, code)
    const ended = { bytesToService, bytesToVisitor, duration, reason, ...this.info }
    const context: CloseStreamContext = error === undefined ? ended : { error, ...ended }
    try {
      if (this.#hooked) this.#host.generation.calls.closeStream(context)
      this.#host.closed(context)
    } finally {
      this.#release()
    }
  }
}
