import { plainAddress } from '@rystra/address'
import { BatchedUdp, kernelDrops } from '@rystra/native'
import { type Admission, type Direction, RystraError, toRystraError } from '@rystra/plugin'
import { afterException } from './contain.js'
import { LazyCarrier } from './lazy-carrier.js'
import { SessionTable } from './session-table.js'
import { shapeDatagram } from './shape-datagram.js'
import { tuneUdp } from './socket.js'
import type { UdpStats } from './datagram-metrics.js'
import type { UdpVisitorsOptions } from './visitors-options.js'
import { type Drop, DropCounter, dropDetails } from './drop-counter.js'
import type { VisitorSession } from './visitor-session.js'
import { Sender } from './sender.js'

/** Datagrams held for a visitor during its admission. */
const MAX_HELD = 16

/** The visitor side: connects a bound socket with a stream, with a session per address and port. */
export class UdpVisitors {
  readonly drops: DropCounter
  #options: UdpVisitorsOptions
  readonly #table: SessionTable
  readonly #link: LazyCarrier
  readonly #sender: Sender
  /** The session of the last datagram: datagrams often arrive in runs. */
  #last: VisitorSession | undefined
  #cancelExpiry: (() => void) | undefined
  #toServiceCount = 0
  #toVisitorCount = 0
  #closed = false

  constructor(options: UdpVisitorsOptions) {
    const { socket, clock, log, limits, native = true } = options
    this.#options = options
    this.drops = new DropCounter(log, clock)
    this.#table = new SessionTable(limits, clock.now())
    this.#sender = new Sender(socket, options.address)
    this.#link = new LazyCarrier(
      options.open,
      {
        onDatagram: (id, datagram) => {
          try {
            this.#fromService(id, datagram)
          } catch (error) {
            this.#threw(error, this.#table.get(id))
          }
        },
        // The visitor side ends sessions, by their timeout.
        onSessionClose: () => {},
        onLost: (datagrams) => this.drops.add('closed', undefined, datagrams)
      },
      clock,
      log
    )
    tuneUdp(socket)
    socket.on('error', this.#onError)
    if (native) {
      const onDatagram = (datagram: Buffer, host: string, port: number): void => this.#arrived(datagram, host, port)
      this.#sender.batched = BatchedUdp.attach(socket, { onDatagram, onError: this.#onError })
    }
    if (!this.native) socket.on('message', this.#onMessage)
    log.debug({ native: this.native, port: options.address.port }, 'udp: listening')
  }

  /**
   * Other options for the same socket: sessions that there are stay. `native` is kept as it is.
   *
   * @param reopens Whether the stream is opened anew with the next datagram: the service sees other sockets then
   */
  change(options: UdpVisitorsOptions, reopens: boolean): void {
    const { clock, limits } = options
    this.#options = options
    this.#table.use(limits, clock.now())
    this.#link.use(options.open, reopens)
    this.#cancelExpiry?.()
    this.#expire()
  }

  /** Whether it works by these options. */
  isBy(options: UdpVisitorsOptions): boolean {
    return this.#options === options
  }

  /** Whether datagrams are sent and received in batches by the native part. */
  get native(): boolean {
    return this.#sender.batched !== undefined
  }

  /** Current sessions. */
  get sessions(): number {
    return this.#table.size
  }

  stats(): UdpStats {
    const { totals } = this.drops
    const output = (totals.output ?? 0) + (this.#sender.batched?.failed ?? 0)
    const dropped = { ...totals, output, input: kernelDrops(this.#options.socket) }
    return { toService: this.#toServiceCount, toVisitor: this.#toVisitorCount, dropped }
  }

  readonly #onError = (error: Error): void => {
    if (!this.native) this.drops.add('output')
    // Network errors about one visitor do not concern the others.
    this.#options.log.debug({ err: error }, 'error of a UDP socket')
  }

  readonly #onMessage = (datagram: Buffer, { address, port }: { address: string; port: number }): void =>
    this.#arrived(datagram, address, port)

  /** `datagram` is lent. */
  #arrived(datagram: Buffer, address: string, port: number): void {
    try {
      this.#take(datagram, address, port)
    } catch (error) {
      this.#threw(error, this.#table.find(address, port))
    }
  }

  #take(datagram: Buffer, address: string, port: number): void {
    const now = this.#options.clock.now()
    let session = this.#last
    if (session === undefined || session.port !== port || session.of.host !== address) {
      session = this.#table.find(address, port) ?? this.#begin(address, port, now)
      if (session === undefined) return
      this.#last = session
    }
    const { bucket } = session.of
    if (bucket !== undefined && !bucket.take(1, now)) this.#drop('rate')
    else if (session.state === 'open') this.#toService(session, datagram, now)
    else if (session.state === 'pending' && (session.held as Buffer[]).length < MAX_HELD)
      session.held?.push(Buffer.from(datagram))
    else this.#drop('refused')
  }

  #begin(host: string, port: number, now: number): VisitorSession | undefined {
    const evict = (session: VisitorSession): void =>
      this.#end(session, new RystraError('stream.limit', { detail: 'evicted by another visitor' }))
    // Answers cannot be sent to port 0.
    if (port === 0) {
      this.drops.add('refused')
      return undefined
    }
    if (!this.#table.makeRoom(host, now, evict)) {
      this.#drop('sessions')
      return undefined
    }
    const session = this.#table.add(host, port, now)
    this.#cancelExpiry ??= this.#options.clock.after(this.#options.limits.sessionTimeout, this.#expire)
    this.#admit(session)
    return session
  }

  #admit(session: VisitorSession): void {
    const { admit, address } = this.#options
    if (admit === undefined) return
    try {
      const answer = admit({ host: plainAddress(session.of.host), port: session.port, to: address })
      if (!('then' in answer)) {
        this.#attach(session, answer)
        return
      }
      session.state = 'pending'
      session.held = []
      answer.then(
        (admission) => this.#admitted(session, admission),
        () => this.#refused(session)
      )
    } catch {
      this.#refused(session)
    }
  }

  #admitted(session: VisitorSession, admission: Admission): void {
    const held = session.held ?? []
    session.held = undefined
    if (session.state === 'closed') {
      if (held.length > 0) this.drops.add('ended', undefined, held.length)
      admission.close(0, 0)
      return
    }
    session.state = 'open'
    this.#attach(session, admission)
    const now = this.#options.clock.now()
    for (const datagram of held) if ((session.state as string) === 'open') this.#toService(session, datagram, now)
  }

  #attach(session: VisitorSession, admission: Admission): void {
    session.admission = admission
    session.end = (error) => this.#end(session, error)
    admission.attach?.(session)
  }

  /** Stays in the table until it expires, so that not every datagram asks for admission. */
  #refused(session: VisitorSession): void {
    if (session.held !== undefined && session.held.length > 0) this.drops.add('refused', undefined, session.held.length)
    session.held = undefined
    if (session.state !== 'closed') session.state = 'refused'
  }

  #toService(session: VisitorSession, datagram: Buffer, now: number): void {
    if (session.answered && !session.proven) this.#table.prove(session)
    this.#table.touch(session, now)
    const passed = session.admission === undefined ? datagram : this.#shape(session, datagram, 'toService')
    if (passed === undefined) return
    session.bytesToService += passed.length
    const drop = this.#link.send(session.id, passed)
    if (drop === undefined) this.#toServiceCount += 1
    else this.#drop(drop)
  }

  #fromService(id: number, datagram: Buffer): void {
    const session = this.#table.get(id)
    // Answers may arrive after their session has ended, or for an unknown number.
    if (session?.state !== 'open') {
      this.drops.add('ended')
      return
    }
    const now = this.#options.clock.now()
    session.answered = true
    this.#table.touch(session, now)
    const passed = session.admission === undefined ? datagram : this.#shape(session, datagram, 'toVisitor')
    if (passed === undefined) return
    const drop = this.#sender.send(passed, session.port, session.of.host)
    if (drop === undefined) {
      session.bytesToVisitor += passed.length
      this.#toVisitorCount += 1
    } else this.#drop(drop)
  }

  /** `undefined` drops the datagram. */
  #shape(session: VisitorSession, datagram: Buffer, direction: Direction): Buffer | undefined {
    try {
      const passed = shapeDatagram(session.admission as Admission, datagram, direction)
      if (typeof passed !== 'string') return passed
      if (passed === 'rate') this.#drop(passed)
      else this.drops.add(passed)
    } catch (error) {
      this.drops.add('extension')
      this.#end(session, toRystraError(error, 'hook.failed'))
    }
    return undefined
  }

  #drop(drop: Drop): void {
    this.drops.add(drop, () => {
      if (drop === 'refused') return new RystraError('stream.refused', { detail: 'UDP visitor refused' })
      const detail = dropDetails[drop]
      if (detail !== undefined) return new RystraError('stream.limit', { detail })
      return this.#link.error ?? new RystraError('stream.reset')
    })
  }

  #end(session: VisitorSession, error?: RystraError): void {
    if (session.state === 'closed') return
    const { state } = session
    session.state = 'closed'
    session.held = undefined
    if (this.#last === session) this.#last = undefined
    this.#table.remove(session)
    if (state === 'open') this.#link.closeSession(session.id)
    session.admission?.close(session.bytesToService, session.bytesToVisitor, error)
  }

  #threw(error: unknown, session: VisitorSession | undefined): void {
    afterException(error, this.drops, () => {
      if (session !== undefined) this.#end(session, new RystraError('internal'))
    })
  }

  readonly #expire = (): void => {
    this.#cancelExpiry = undefined
    const { clock } = this.#options
    const now = clock.now()
    for (let expired = this.#table.expired(now); expired !== undefined; expired = this.#table.expired(now))
      this.#end(expired)
    const next = this.#table.nextExpiry
    // At least 20 ms later: sessions often expire together.
    if (next !== undefined) this.#cancelExpiry = clock.after(Math.max(next - now, 20), this.#expire)
  }

  /** Ends all sessions. The caller closes the socket. */
  close(error?: RystraError): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelExpiry?.()
    const { socket } = this.#options
    socket.off('message', this.#onMessage)
    this.#sender.batched?.close()
    for (const session of this.#table.all()) this.#end(session, error)
    this.#link.close()
  }
}
