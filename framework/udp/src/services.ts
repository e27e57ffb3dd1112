import { background, type Clock, type Logger, RystraError } from '@rystra/plugin'
import { Carrier, type CarrierStream } from './carrier.js'
import { afterException } from './contain.js'
import type { UdpLimits } from './limits.js'
import { Recency } from './recency.js'
import { type Lookup, parseUdpService, ServiceAddresses } from './service-address.js'
import { ServiceSession } from './service-session.js'
import type { UdpStats } from './datagram-metrics.js'
import { type Drop, DropCounter, dropDetails } from './drop-counter.js'

/** Datagrams held while the name of the service is resolved. */
const MAX_HELD = 256

/** Sessions here live longer than at the visitor side, which decides. */
const TIMEOUT_FACTOR = 1.25

/** Options of the service side. */
export interface UdpServicesOptions extends CarrierStream {
  /** The service: `host:port`, `[v6]:port`, or a port of 127.0.0.1. */
  readonly local: string
  /** Limits per visitor address are applied by the visitor side. */
  readonly limits: Pick<UdpLimits, 'sessionTimeout' | 'maxSessions'>
  /** What both are now, asked before each new session: the same object where nothing has changed. @default as given */
  readonly current?: () => Pick<UdpServicesOptions, 'local' | 'limits'>
  readonly clock: Clock
  readonly log: Logger
  /** @default the system's */
  readonly lookup?: Lookup
  /** Whether the native part is used where there is one. @default true */
  readonly native?: boolean | undefined
}

/** The service side: connects a stream with a socket per session, connected to the service. */
export class UdpServices {
  readonly drops: DropCounter
  /** Resolves when the stream has ended and all sockets are closed, with the error unless it ended in order. */
  readonly done: Promise<RystraError | undefined>
  readonly #options: UdpServicesOptions
  readonly #carrier: Carrier
  #addresses: ServiceAddresses
  #service: Pick<UdpServicesOptions, 'local' | 'limits'>
  readonly #sessions = new Map<number, ServiceSession>()
  readonly #order = new Recency<ServiceSession>()
  #held: { id: number; datagram: Buffer }[] = []
  #resolving = false
  #cancelExpiry: (() => void) | undefined
  #toService = 0
  #toVisitor = 0
  /** Kernel drops of sessions that are over. */
  #endedDrops = 0
  #closed = false

  /** Throws `proxy.invalid`. */
  constructor(options: UdpServicesOptions) {
    const { clock, log, lookup, current } = options
    this.#options = options
    this.#service = current?.() ?? options
    const { local } = this.#service
    this.drops = new DropCounter(log, clock)
    this.#addresses = new ServiceAddresses(parseUdpService(local), clock, lookup)
    let over: (error?: RystraError) => void = () => {}
    this.done = new Promise((resolve) => {
      over = resolve
    })
    this.#carrier = new Carrier(options, {
      onDatagram: (id, datagram) => {
        try {
          this.#fromVisitor(id, datagram)
        } catch (error) {
          this.#threw(error, this.#sessions.get(id))
        }
      },
      onSessionClose: (id) => {
        const session = this.#sessions.get(id)
        if (session !== undefined) this.#end(session)
      },
      onLost: (datagrams) => this.drops.add('closed', undefined, datagrams),
      onClose: (error) => {
        this.#over()
        over(error)
      }
    })
  }

  /** Current sessions. */
  get sessions(): number {
    return this.#sessions.size
  }

  stats(): UdpStats {
    let input = this.#endedDrops
    for (const session of this.#sessions.values()) input += session.drops
    return { toService: this.#toService, toVisitor: this.#toVisitor, dropped: { ...this.drops.totals, input } }
  }

  #fromVisitor(id: number, datagram: Buffer): void {
    const { clock } = this.#options
    const session = this.#sessions.get(id)
    if (session !== undefined) {
      this.#order.touch(session, clock.now())
      this.#send(session, datagram)
      return
    }
    this.#refresh()
    if (this.#addresses.current !== undefined) {
      const begun = this.#begin(id)
      if (begun === undefined) this.drops.add('closed')
      else this.#send(begun, datagram)
    } else this.#wait(id, datagram)
  }

  /** Sessions that begin from now on are with the service as it is configured now. */
  #refresh(): void {
    const { current, clock, lookup, log } = this.#options
    const service = current?.() ?? this.#service
    if (service === this.#service) return
    const { local } = this.#service
    this.#service = service
    if (service.local === local) return
    try {
      this.#addresses = new ServiceAddresses(parseUdpService(service.local), clock, lookup)
    } catch (error) {
      log.warn({ err: error }, 'the service before is kept')
    }
  }

  #send(session: ServiceSession, datagram: Buffer): void {
    const drop = session.send(datagram)
    if (drop === undefined) this.#toService += 1
    else this.#drop(drop)
  }

  #begin(id: number): ServiceSession | undefined {
    const { current, port } = this.#addresses
    if (this.#closed || current === undefined) return undefined
    const { clock } = this.#options
    const { limits } = this.#service
    const { oldest } = this.#order
    if (oldest !== undefined && this.#sessions.size >= limits.maxSessions) this.#end(oldest)
    const session = new ServiceSession(id, current, port, clock.now(), this, this.#options.native)
    this.#sessions.set(id, session)
    this.#order.add(session)
    this.#cancelExpiry ??= clock.after(limits.sessionTimeout * TIMEOUT_FACTOR, this.#expire)
    return session
  }

  /** Holds a datagram until the name is resolved. */
  #wait(id: number, datagram: Buffer): void {
    if (this.#held.length >= MAX_HELD) this.#drop('unreachable')
    else this.#held.push({ id, datagram })
    if (this.#resolving) return
    this.#resolving = true
    const sent = this.#addresses.resolve().then(() => {
      this.#resolving = false
      const held = this.#held.splice(0)
      const known = this.#addresses.current !== undefined && !this.#closed
      for (const { id, datagram } of held) {
        if (known) this.#fromVisitor(id, datagram)
        else if (this.#closed) this.drops.add('closed')
        else this.#drop('unreachable')
      }
    })
    background(sent, this.#options.log, 'datagrams for a service were not sent')
  }

  /** @internal */
  onAnswer(session: ServiceSession, datagram: Buffer): void {
    try {
      this.#answered(session, datagram)
    } catch (error) {
      this.#threw(error, session)
    }
  }

  #threw(error: unknown, session: ServiceSession | undefined): void {
    afterException(error, this.drops, () => {
      if (session !== undefined && this.#sessions.get(session.id) === session) this.#end(session)
    })
  }

  #answered(session: ServiceSession, datagram: Buffer): void {
    if (this.#sessions.get(session.id) !== session) {
      this.drops.add('ended')
      return
    }
    this.#order.touch(session, this.#options.clock.now())
    if (this.#carrier.send(session.id, datagram)) this.#toVisitor += 1
    else this.#drop('link')
  }

  /** @internal */
  onError(session: ServiceSession, error: NodeJS.ErrnoException): void {
    if (this.#sessions.get(session.id) !== session) return
    const { syscall, code } = error
    this.#drop('unreachable', error)
    // A connected socket may work again when the service is back. A name may have another address by then.
    const unusable = syscall === 'bind' || syscall === 'connect' || code === 'EMFILE' || code === 'ENFILE'
    if (this.#addresses.failed(session.at) || unusable) this.#end(session)
  }

  #drop(drop: Drop, cause: Error | undefined = this.#addresses.error): void {
    this.drops.add(drop, () => {
      if (drop === 'unreachable') {
        const { code } = (cause ?? {}) as NodeJS.ErrnoException
        const detail = code === undefined ? this.#service.local : `${this.#service.local} (${code})`
        return new RystraError('stream.service-unreachable', { side: 'client', detail, cause })
      }
      const detail = dropDetails[drop] ?? 'the stream for datagrams is closed'
      return new RystraError('stream.limit', { side: 'client', detail })
    })
  }

  #end(session: ServiceSession): void {
    this.#sessions.delete(session.id)
    this.#order.remove(session)
    this.#endedDrops += session.drops
    session.close()
  }

  readonly #expire = (): void => {
    this.#cancelExpiry = undefined
    const { clock } = this.#options
    const timeout = this.#service.limits.sessionTimeout * TIMEOUT_FACTOR
    const now = clock.now()
    for (let { oldest } = this.#order; oldest !== undefined; { oldest } = this.#order) {
      if (oldest.seen + timeout > now) {
        this.#cancelExpiry = clock.after(Math.max(oldest.seen + timeout - now, 20), this.#expire)
        return
      }
      this.#end(oldest)
    }
  }

  /** Ends the stream; sockets are closed with it. */
  close(): void {
    this.#carrier.close()
  }

  #over(): void {
    this.#closed = true
    this.#cancelExpiry?.()
    if (this.#held.length > 0) this.drops.add('closed', undefined, this.#held.length)
    this.#held = []
    for (const session of [...this.#sessions.values()]) this.#end(session)
  }
}
