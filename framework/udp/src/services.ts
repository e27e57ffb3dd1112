import { type Clock, type Logger, RystraError } from '@rystra/plugin'
import { Carrier, type Carries } from './carrier.js'
import type { UdpLimits } from './limits.js'
import { Recency } from './recency.js'
import { type Lookup, parseUdpService, ServiceAddresses } from './service-address.js'
import { ServiceSession } from './service-session.js'
import { type Drop, Tally } from './tally.js'

/** Datagrams that wait while the name of the service is looked up. */
const HELD = 256

/** A session here lives so much longer than at the visitor's side, which is to decide. */
const GRACE = 1.25

/** What the service side needs. */
export interface UdpServicesOptions extends Carries {
  /** The service: `host:port`, `[v6]:port`, or a port of 127.0.0.1. */
  readonly local: string
  /** Those of one visitor are the visitor side's to keep. */
  readonly limits: Pick<UdpLimits, 'sessionTimeout' | 'maxSessions'>
  readonly clock: Clock
  readonly log: Logger
  /** @default the system's */
  readonly lookup?: Lookup
}

/** The service side: from a stream to a socket for each session, connected to the service, and back. */
export class UdpServices {
  readonly drops: Tally
  /** Resolves when the stream is over and all sockets are closed; with why, unless it ended in good order. */
  readonly done: Promise<RystraError | undefined>
  readonly #options: UdpServicesOptions
  readonly #carrier: Carrier
  readonly #addresses: ServiceAddresses
  readonly #sessions = new Map<number, ServiceSession>()
  readonly #order = new Recency<ServiceSession>()
  #held: { id: number; datagram: Buffer }[] = []
  #looking = false
  #cancelExpiry: (() => void) | undefined
  #closed = false

  /** Throws `proxy.invalid`. */
  constructor(options: UdpServicesOptions) {
    const { local, clock, log, lookup } = options
    this.#options = options
    this.drops = new Tally(log, clock)
    this.#addresses = new ServiceAddresses(parseUdpService(local), clock, lookup)
    let over: (error?: RystraError) => void = () => {}
    this.done = new Promise((resolve) => {
      over = resolve
    })
    this.#carrier = new Carrier(options, {
      onDatagram: (id, datagram) => this.#fromVisitor(id, datagram),
      onSessionClose: (id) => {
        const session = this.#sessions.get(id)
        if (session !== undefined) this.#end(session)
      },
      onClose: (error) => {
        this.#over()
        over(error)
      }
    })
  }

  /** Sessions now. */
  get sessions(): number {
    return this.#sessions.size
  }

  #fromVisitor(id: number, datagram: Buffer): void {
    const { clock } = this.#options
    const session = this.#sessions.get(id)
    if (session !== undefined) {
      this.#order.touch(session, clock.now())
      this.#send(session, datagram)
    } else if (this.#addresses.current !== undefined) {
      const begun = this.#begin(id)
      if (begun !== undefined) this.#send(begun, datagram)
    } else this.#wait(id, datagram)
  }

  #send(session: ServiceSession, datagram: Buffer): void {
    const drop = session.send(datagram)
    if (drop !== undefined) this.#drop(drop)
  }

  #begin(id: number): ServiceSession | undefined {
    const { current, port } = this.#addresses
    if (this.#closed || current === undefined) return undefined
    const { clock, limits } = this.#options
    const { oldest } = this.#order
    if (oldest !== undefined && this.#sessions.size >= limits.maxSessions) this.#end(oldest)
    const session = new ServiceSession(id, current, port, clock.now(), this)
    this.#sessions.set(id, session)
    this.#order.add(session)
    this.#cancelExpiry ??= clock.after(limits.sessionTimeout * GRACE, this.#expire)
    return session
  }

  /** Keeps a datagram until it is known where the service is. */
  #wait(id: number, datagram: Buffer): void {
    if (this.#held.length >= HELD) this.#drop('unreachable')
    else this.#held.push({ id, datagram })
    if (this.#looking) return
    this.#looking = true
    void this.#addresses.look().then(() => {
      this.#looking = false
      const held = this.#held.splice(0)
      if (this.#closed) return
      const known = this.#addresses.current !== undefined
      for (const { id, datagram } of held) {
        if (known) this.#fromVisitor(id, datagram)
        else this.#drop('unreachable')
      }
    })
  }

  /** @internal */
  onAnswer(session: ServiceSession, datagram: Buffer): void {
    if (this.#sessions.get(session.id) !== session) return
    this.#order.touch(session, this.#options.clock.now())
    if (!this.#carrier.send(session.id, datagram)) this.#drop('slow')
  }

  /** @internal */
  onError(session: ServiceSession, error: NodeJS.ErrnoException): void {
    if (this.#sessions.get(session.id) !== session) return
    const { syscall, code } = error
    this.#drop('unreachable', error)
    // One that is there and connected may hear from the service when that is back. A name may lead elsewhere by then.
    const unusable = syscall === 'bind' || syscall === 'connect' || code === 'EMFILE' || code === 'ENFILE'
    if (this.#addresses.failed(session.at) || unusable) this.#end(session)
  }

  #drop(drop: Drop, cause: Error | undefined = this.#addresses.error): void {
    this.drops.add(drop, () => {
      if (drop === 'unreachable') {
        const { code } = (cause ?? {}) as NodeJS.ErrnoException
        const detail = code === undefined ? this.#options.local : `${this.#options.local} (${code})`
        return new RystraError('stream.service-unreachable', { side: 'client', detail, cause })
      }
      const detail =
        drop === 'size' ? 'a datagram is too large for IPv4' : 'answers come faster than they can be passed on'
      return new RystraError('stream.limit', { side: 'client', detail })
    })
  }

  #end(session: ServiceSession): void {
    this.#sessions.delete(session.id)
    this.#order.remove(session)
    session.close()
  }

  readonly #expire = (): void => {
    this.#cancelExpiry = undefined
    const { clock, limits } = this.#options
    const timeout = limits.sessionTimeout * GRACE
    const now = clock.now()
    for (let { oldest } = this.#order; oldest !== undefined; { oldest } = this.#order) {
      if (oldest.seen + timeout > now) {
        this.#cancelExpiry = clock.after(Math.max(oldest.seen + timeout - now, 20), this.#expire)
        return
      }
      this.#end(oldest)
    }
  }

  /** Ends the stream; sockets are closed when it is over. */
  close(): void {
    this.#carrier.close()
  }

  #over(): void {
    this.#closed = true
    this.#cancelExpiry?.()
    this.#held = []
    for (const session of [...this.#sessions.values()]) this.#end(session)
  }
}
