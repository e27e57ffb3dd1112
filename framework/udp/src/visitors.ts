import {
  type Address,
  type Admission,
  type Clock,
  type Direction,
  type Logger,
  RystraError,
  toRystraError,
  type VisitorInfo
} from '@rystra/plugin'
import type { Socket } from 'node:dgram'
import { LazyCarrier, type OpenCarrier } from './lazy-carrier.js'
import type { UdpLimits } from './limits.js'
import { SessionTable } from './session-table.js'
import { tuneUdp } from './socket.js'
import { type Drop, Tally } from './tally.js'
import type { VisitorSession } from './visitor-session.js'
import { Sender } from './sender.js'

/** Datagrams kept of one visitor while it is asked whether it may come. */
const HELD = 16

/** What the visitor side needs. */
export interface UdpVisitorsOptions {
  /** Bound. Closed by whoever bound it. */
  readonly socket: Socket
  /** Where it is bound: what visitors sent to. */
  readonly address: Address
  readonly limits: UdpLimits
  /** Opens the stream to the service side; asked with the first datagram, and again after it broke. */
  readonly open: OpenCarrier
  /** Asks whether a visitor may come, and tells when it went. A throw or rejection refuses. Left out: all may. */
  readonly admit?: (visitor: VisitorInfo) => Admission | Promise<Admission>
  readonly clock: Clock
  readonly log: Logger
}

/** The visitor side: from a bound socket to a stream, a session for each address and port, and back. */
export class UdpVisitors {
  readonly drops: Tally
  readonly #options: UdpVisitorsOptions
  readonly #table: SessionTable
  readonly #link: LazyCarrier
  readonly #sender: Sender
  /** Whose datagram came last: most come in rows. */
  #last: VisitorSession | undefined
  #cancelExpiry: (() => void) | undefined
  #closed = false

  constructor(options: UdpVisitorsOptions) {
    const { socket, clock, log, limits } = options
    this.#options = options
    this.drops = new Tally(log, clock)
    this.#table = new SessionTable(limits, clock.now())
    this.#sender = new Sender(socket, options.address)
    this.#link = new LazyCarrier(
      options.open,
      {
        onDatagram: (id, datagram) => this.#fromService(id, datagram),
        // A session is the visitor's: it ends when it is quiet.
        onSessionClose: () => {}
      },
      clock,
      log
    )
    tuneUdp(socket)
    socket.on('message', this.#onMessage)
    socket.on('error', this.#onError)
  }

  /** Sessions now. */
  get sessions(): number {
    return this.#table.size
  }

  readonly #onError = (error: Error): void => {
    // What the network says about one visitor is no matter of the others.
    this.#options.log.debug({ err: error }, 'a UDP socket reported an error')
  }

  readonly #onMessage = (datagram: Buffer, { address, port }: { address: string; port: number }): void => {
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
    else if (session.state === 'asking' && (session.held as Buffer[]).length < HELD) session.held?.push(datagram)
    else this.#drop('refused')
  }

  #begin(host: string, port: number, now: number): VisitorSession | undefined {
    const pushed = (session: VisitorSession): void =>
      this.#end(session, new RystraError('stream.limit', { detail: 'it made room for another visitor' }))
    // Nothing can be sent there.
    if (port === 0) return undefined
    if (!this.#table.makeRoom(host, now, pushed)) {
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
      const answer = admit({ host: session.of.host, port: session.port, to: address })
      if (!('then' in answer)) {
        session.admission = answer
        return
      }
      session.state = 'asking'
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
    if (session.state === 'over') {
      admission.close(0, 0)
      return
    }
    session.admission = admission
    session.state = 'open'
    const now = this.#options.clock.now()
    for (const datagram of held) if ((session.state as string) === 'open') this.#toService(session, datagram, now)
  }

  /** It stays in the table until its time is over, so that not every datagram asks again. */
  #refused(session: VisitorSession): void {
    session.held = undefined
    if (session.state !== 'over') session.state = 'refused'
  }

  #toService(session: VisitorSession, datagram: Buffer, now: number): void {
    if (session.answered && !session.proven) this.#table.prove(session)
    this.#table.touch(session, now)
    const passed = session.admission === undefined ? datagram : this.#shape(session, datagram, 'toService', now)
    if (passed === undefined) return
    session.bytesToService += passed.length
    const drop = this.#link.send(session.id, passed)
    if (drop !== undefined) this.#drop(drop)
  }

  #fromService(id: number, datagram: Buffer): void {
    const session = this.#table.get(id)
    // Answers may come after their session, and to a number that never was one.
    if (session?.state !== 'open') return
    const now = this.#options.clock.now()
    session.answered = true
    this.#table.touch(session, now)
    const passed = session.admission === undefined ? datagram : this.#shape(session, datagram, 'toVisitor', now)
    if (passed === undefined) return
    const drop = this.#sender.send(passed, session.port, session.of.host)
    if (drop === undefined) session.bytesToVisitor += passed.length
    else this.#drop(drop)
  }

  /** What the taps make of it; `undefined` when it is not to pass. */
  #shape(session: VisitorSession, datagram: Buffer, direction: Direction, now: number): Buffer | undefined {
    const { pace, tap } = session.admission as Admission
    try {
      if (pace !== undefined) {
        const field = direction === 'toService' ? 'notToService' : 'notToVisitor'
        if (now < session[field]) {
          this.#drop('rate')
          return undefined
        }
        const wait = pace(datagram.length, direction)
        if (wait > 0) session[field] = now + wait
      }
      if (tap === undefined) return datagram
      const passed = tap(datagram, direction)
      // An empty answer drops the chunk; a datagram that was empty before is one.
      return passed.length === 0 && datagram.length > 0 ? undefined : passed
    } catch (error) {
      this.#end(session, toRystraError(error, 'hook.failed'))
      return undefined
    }
  }

  #drop(drop: Drop): void {
    this.drops.add(drop, () => {
      if (drop === 'sessions') return new RystraError('stream.limit', { detail: 'too many UDP visitors' })
      if (drop === 'rate') return new RystraError('stream.limit', { detail: 'a UDP visitor sends too much' })
      if (drop === 'refused') return new RystraError('stream.refused', { detail: 'a UDP visitor may not come' })
      if (drop === 'slow')
        return new RystraError('stream.limit', { detail: 'datagrams come faster than they can be passed on' })
      if (drop === 'size') return new RystraError('stream.limit', { detail: 'a datagram is too large for IPv4' })
      return this.#link.error ?? new RystraError('stream.reset')
    })
  }

  #end(session: VisitorSession, error?: RystraError): void {
    if (session.state === 'over') return
    const { state } = session
    session.state = 'over'
    session.held = undefined
    if (this.#last === session) this.#last = undefined
    this.#table.remove(session)
    if (state === 'open') this.#link.closeSession(session.id)
    session.admission?.close(session.bytesToService, session.bytesToVisitor, error)
  }

  readonly #expire = (): void => {
    this.#cancelExpiry = undefined
    const { clock } = this.#options
    const now = clock.now()
    for (let over = this.#table.overdue(now); over !== undefined; over = this.#table.overdue(now)) this.#end(over)
    const next = this.#table.nextExpiry
    // A little later than the next: with many, some are over together.
    if (next !== undefined) this.#cancelExpiry = clock.after(Math.max(next - now, 20), this.#expire)
  }

  /** Ends all sessions. The socket is left to whoever bound it. */
  close(error?: RystraError): void {
    if (this.#closed) return
    this.#closed = true
    this.#cancelExpiry?.()
    const { socket } = this.#options
    socket.off('message', this.#onMessage)
    for (const session of this.#table.all()) this.#end(session, error)
    this.#link.close()
  }
}
