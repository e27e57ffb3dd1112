import type { DataTap, GenerationRef } from '@rystra/kernel'
import { CountedStream, FilteredStream, type Filters, type Pump, pump, type RawStream, rawOf } from '@rystra/bytes'
import { RystraError, type StreamInfo, toRystraError } from '@rystra/model'
import type {
  Admission,
  CloseReason,
  CloseStreamContext,
  Clock,
  Deny,
  Direction,
  OpenedStream,
  OpenStreamContext,
  Pacer,
  Relay,
  StreamHandle,
  StreamStats,
  Through
} from '@rystra/plugin'
import type { CountedFlow } from './datagram-flows.js'
import type { OutgoingStream } from './outgoing-stream.js'
import type { StreamTable } from './stream-table.js'

/** What a stream lives in. */
export interface StreamHost {
  readonly generation: GenerationRef
  readonly clock: Clock
  /** Where it is listed while it runs. */
  readonly tables: readonly StreamTable[]
  /** `false` for a stream that carries many visitors, whose bytes are no visitor's. @default true */
  readonly hooked?: boolean
  /** Called once, when it was not opened, or the other end refused it. */
  refused?(error: RystraError): void
  /** Called once, when the service was reached. */
  ready?(): void
  /** Called once, when it is over, after the hook. */
  closed(context: CloseStreamContext): void
}

/** One stream at one end: onOpenStream, its bytes, onCloseStream, all in the generation it began in. */
export class StreamLifecycle implements StreamHandle {
  readonly info: StreamInfo
  readonly #host: StreamHost
  /** Which way bytes go that are written into it. */
  readonly #writes: Direction
  readonly #hooked: boolean
  readonly #release: () => void
  readonly #openedAt: number
  readonly #toService: RawStream[] = []
  readonly #toVisitor: RawStream[] = []
  readonly #pacers: Pacer[] = []
  #taps: Readonly<Record<Direction, DataTap | undefined>> | undefined
  #readyAt: number | undefined
  #raw: CountedStream | undefined
  #opened: OutgoingStream | undefined
  #pump: Pump | undefined
  /** A relay of an extension counts by itself. */
  #counts: Pump | undefined
  #flow: CountedFlow | undefined
  #flowGoes: Direction = 'toService'
  #closing: RystraError | undefined
  #over = false

  constructor(info: StreamInfo, writes: Direction, host: StreamHost) {
    this.info = info
    this.#writes = writes
    this.#host = host
    this.#hooked = host.hooked ?? true
    this.#release = host.generation.hold()
    this.#openedAt = host.clock.now()
    for (const table of host.tables) table.add(this)
  }

  // The handle

  stats(): StreamStats {
    const connectTime = this.#readyAt === undefined ? {} : { connectTime: this.#readyAt - this.#openedAt }
    return {
      bytesToService: this.#bytes('toService'),
      bytesToVisitor: this.#bytes('toVisitor'),
      openedAt: this.#openedAt,
      paused: this.#raw?.paused === true || this.#pump?.paused === true,
      ...connectTime
    }
  }

  close(error: RystraError = new RystraError('stream.reset', { side: this.info.side })): void {
    if (this.#pump !== undefined) this.#pump.reset(error)
    else if (this.#raw !== undefined) this.#raw.fail(error)
    else this.#closing ??= error
  }

  #bytes(direction: Direction): number {
    const beside = this.datagramBytes(direction)
    if (this.#counts !== undefined) return beside + (direction === 'toService' ? this.#counts.aToB : this.#counts.bToA)
    if (this.#raw === undefined) return beside
    return beside + (direction === this.#writes ? this.#raw.written : this.#raw.received)
  }

  // Before it is open

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
        if (this.#over) this.#resetTransforms()
      }
    }
    return this.#host.generation.calls.openStream(context)
  }

  /** Slows the stream down, see `OpenStreamContext.pace`. */
  pace(pacer: Pacer): void {
    this.#pacers.push(pacer)
  }

  /** Datagrams beside it count as its bytes. @param goes where those go that are sent into the flow */
  attachDatagrams(flow: CountedFlow, goes: Direction): void {
    this.#flow = flow
    this.#flowGoes = goes
  }

  /** Bytes of the datagrams beside it so far. */
  datagramBytes(direction: Direction): number {
    const flow = this.#flow
    if (flow === undefined) return 0
    return direction === this.#flowGoes ? flow.sent : flow.received
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
    if (!this.#hooked) return undefined
    const { calls } = this.#host.generation
    this.#taps ??= {
      toService: calls.dataTap(this.info, 'toService'),
      toVisitor: calls.dataTap(this.info, 'toVisitor')
    }
    return this.#taps[direction]
  }

  #paceOf(direction: Direction): ((bytes: number) => number) | undefined {
    const [only, ...others] = this.#pacers
    if (only === undefined) return undefined
    if (others.length === 0) return (bytes) => only(bytes, direction)
    return (bytes) => this.#pacers.reduce((longest, pacer) => Math.max(longest, pacer(bytes, direction)), 0)
  }

  #filtersOf(direction: Direction): Filters {
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

  // Open

  /**
   * Asks the hooks, then opens. Whether hooks have had a say is the answer. Rejects with what refuses it: a deny, what
   * `open` throws, or an end meanwhile.
   *
   * @param limit how many streams of the session hooks may be asked about at a time
   */
  async open(open: () => Promise<OutgoingStream>, limit = Number.POSITIVE_INFINITY): Promise<boolean> {
    try {
      const asked = await this.#admitted(limit)
      if (this.#closing !== undefined) throw this.#closing
      const opened = await open()
      this.#opened = opened
      if (opened.flow !== undefined) this.attachDatagrams(opened.flow, this.#writes)
      if (this.#closing !== undefined) {
        opened.reset()
        throw this.#closing
      }
      this.#carry(this.filtered ? this.#filter(opened) : opened)
      opened.ready().then(
        () => {
          this.#readyAt = this.#host.clock.now()
          this.#host.ready?.()
        },
        (error: RystraError) => {
          if (!opened.abandoned) this.#host.refused?.(error)
        }
      )
      return asked
    } catch (cause) {
      const error = toRystraError(cause, 'stream.reset')
      this.refuse(error)
      this.#host.refused?.(error)
      throw error
    }
  }

  async #admitted(limit: number): Promise<boolean> {
    const [table] = this.#host.tables
    if (table !== undefined && table.asking >= limit) {
      throw new RystraError('stream.limit', {
        side: this.info.side,
        detail: `client ${this.info.session.client.id}`
      })
    }
    const asked = this.admit()
    if (asked === undefined) return false
    if (table !== undefined) table.asking += 1
    try {
      const denied = await asked
      if (denied !== undefined) throw refusedBy(denied, this.info.side)
      return true
    } finally {
      if (table !== undefined) table.asking -= 1
    }
  }

  /** Takes a stream over that the other end has opened, and whose service is reached. `head` says so. */
  accept(raw: RawStream, head: { readonly bytes: Buffer; readonly wait: number }): void {
    this.#readyAt = this.#host.clock.now()
    const counted = this.filtered ? this.#filter(raw) : new CountedStream(raw)
    counted.sendHead(head)
    this.#carry(counted)
    if (this.#closing !== undefined) counted.fail(this.#closing)
  }

  #filter(raw: RawStream): FilteredStream {
    const [write, read] = [this.#filtersOf('toService'), this.#filtersOf('toVisitor')]
    return new FilteredStream(raw, this.#writes === 'toService' ? { write, read } : { write: read, read: write })
  }

  #carry(raw: CountedStream): void {
    this.#raw = raw
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

  /** Waits for {@link ready} on behalf of the other side that is to be joined; gives up when that closes. */
  async readyFor(other: RawStream): Promise<void> {
    const gone = (): void => this.close()
    other.onClose = gone
    if (other.closed) gone()
    await this.ready()
    other.onClose = undefined
  }

  /** The flow of datagrams that the other end has too. Of use once it is ready. */
  get datagrams(): CountedFlow | undefined {
    return this.#opened?.hasDatagrams === true ? this.#opened.flow : undefined
  }

  /** Passes datagrams beside the visitor's stream on to those beside this one, and back. */
  passDatagrams(visitor: CountedFlow): void {
    const service = this.#opened?.flow
    if (service === undefined) return
    visitor.onMessage = (message) => void service.send(message)
    service.onMessage = (message) => void visitor.send(message)
  }

  /** Opens it for a kind that does not relay byte by byte: resolves when the service is reached. */
  async openDuplex(open: () => Promise<boolean>, signal: AbortSignal | undefined): Promise<OpenedStream> {
    const abort = (): void => this.close(new RystraError('stream.reset', { side: this.info.side, detail: 'given up' }))
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    try {
      const bound = await open()
      await this.ready()
      const { datagrams, info } = this
      const { duplex: stream } = this.stream
      return { stream, info, bound, ...(datagrams === undefined ? {} : { datagrams }) }
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }

  /** Joins the other side, a visitor or a service, to it. @param done called when both are closed */
  join(other: RawStream, done: () => void = () => {}): void {
    const { stream } = this
    const [a, b] = this.#writes === 'toService' ? [other, stream] : [stream, other]
    const over = (_aToB: number, _bToA: number, error?: Error): void => {
      this.#end(error)
      done()
    }
    const relay = this.#relayFor(a, b)
    if (relay === undefined) {
      this.#pump = pump(a, b, over)
      return
    }
    stream.flushHead()
    other.onClose = (error) => stream.fail(error ?? new RystraError('stream.reset'))
    this.ready().then(
      () => this.#joinBy(relay, a, b, over),
      () => {
        other.reset()
        done()
      }
    )
  }

  #joinBy(relay: Relay, a: RawStream, b: RawStream, over: (aToB: number, bToA: number, error?: Error) => void): void {
    try {
      this.#counts = relay.join(a, b, over)
    } catch (cause) {
      const error = toRystraError(cause, 'internal', { detail: `relay ${relay.name}` })
      this.report('error', 0, 0, error)
      a.reset()
      b.reset()
    }
    this.#pump = this.#counts ?? pump(a, b, over)
  }

  #relayFor(visitor: RawStream, service: RawStream): Relay | undefined {
    const { relays } = this.#host.generation.registries
    const names = relays.list()
    if (names.length === 0) return undefined
    return names.map((name) => relays.get(name)).find((relay) => relay.accepts(visitor, service))
  }

  // Over

  /** Reports a stream that came to nothing. */
  refuse(error: RystraError): void {
    this.report('refused', 0, 0, error)
  }

  #end(cause: Error | undefined): void {
    const error = cause === undefined ? undefined : toRystraError(cause, 'stream.reset')
    const beside = (direction: Direction): number => this.#bytes(direction) - this.datagramBytes(direction)
    this.report(error === undefined ? 'end' : reasonOf(error), beside('toService'), beside('toVisitor'), error)
  }

  /** Reports the end of the stream; once. Transforms that were put into its path are reset, used or not. */
  report(reason: CloseReason, toService: number, toVisitor: number, error?: RystraError): void {
    if (this.#over) return
    this.#over = true
    this.#resetTransforms()
    this.#flow?.close()
    const duration = this.#host.clock.now() - this.#openedAt
    const bytesToService = toService + this.datagramBytes('toService')
    const bytesToVisitor = toVisitor + this.datagramBytes('toVisitor')
    for (const table of this.#host.tables) table.delete(this, bytesToService, bytesToVisitor)
    const ended = { ...this.info, bytesToService, bytesToVisitor, duration, reason }
    const context: CloseStreamContext = error === undefined ? ended : { ...ended, error }
    try {
      if (this.#hooked) this.#host.generation.calls.closeStream(context)
      this.#host.closed(context)
    } finally {
      this.#release()
    }
  }

  #resetTransforms(): void {
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
