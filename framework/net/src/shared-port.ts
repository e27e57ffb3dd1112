import type { Address, TcpListening } from '@rystra/plugin'
import type net from 'node:net'
import { hostPort } from '@rystra/address'
import type { AcceptedSockets } from './accepted-sockets.js'
import type { InheritedSockets } from './inherited-sockets.js'
import { ProtocolSniffer } from './protocol-sniffer.js'
import { ProxiedConnections, proxiesOf } from './proxied-connections.js'
import { type TcpServer, tcpServer } from './tcp-server.js'

/** Connections of all ports whose protocol is not recognised yet. */
export interface SniffQueue {
  readonly sniffers: Set<ProtocolSniffer>
  /** Maximum; one more closes the oldest. */
  readonly max: number
  /** Milliseconds until the protocol must be recognised. */
  readonly timeout: number
}

/** A listener, and whose connections begin with a header of the PROXY protocol. */
interface PortListener extends TcpListening {
  readonly isProxied: (socket: net.Socket) => boolean
}

/** One bound address and its listeners. */
export class SharedPort {
  /** The address it is bound to. */
  readonly bound: Promise<Address>
  /** Whether the system chose its port. */
  readonly chosen: boolean
  readonly #tcp: TcpServer
  readonly #queue: SniffQueue
  readonly #accepted: AcceptedSockets
  readonly #own = new Set<ProtocolSniffer>()
  readonly #onFree: () => void
  readonly #keepAlive: number
  readonly #owner: string | undefined
  readonly #exclusive: boolean
  readonly #proxied: ProxiedConnections
  /** The latest first: it is asked first. */
  #listeners: readonly PortListener[] = []
  /** Listeners, and callers that are about to add one. */
  #references = 0
  #isBound = false
  #isClosed = false
  #address = ''

  /** `onFree` is called when no reference is left and the address is free again. */
  constructor(
    address: string,
    options: TcpListening & { readonly reusePort?: boolean },
    queue: SniffQueue,
    accepted: AcceptedSockets,
    inherited: InheritedSockets,
    onFree: () => void
  ) {
    const { port, backlog = 4096, keepAlive = 15_000, reusePort = false } = options
    this.#queue = queue
    this.#accepted = accepted
    this.#onFree = onFree
    this.#keepAlive = keepAlive
    this.#proxied = new ProxiedConnections({
      timeout: queue.timeout,
      onRefused: (_socket, error) => accepted.failed(this.#address, error)
    })
    this.chosen = port === 0
    this.#owner = options.owner
    this.#exclusive = options.exclusive ?? false
    this.#tcp = tcpServer({ host: address, port, backlog, keepAlive, reusePort }, inherited, this.#onConnection)
    const { server } = this.#tcp
    this.bound = new Promise((resolve, reject) => {
      server.once('error', reject)
      this.#tcp.listen(() => {
        this.#isBound = true
        const bound = this.#tcp.address
        this.#address = hostPort(bound.host, bound.port)
        // From now on an error is one failed accept: the next one may succeed.
        server.removeAllListeners('error').on('error', (error) => accepted.failed(this.#address, error))
        resolve(bound)
        this.#closeIfUnused()
      })
    })
    this.bound.catch(() => onFree())
  }

  /** Whether a listener may join those that are here. */
  admits({ owner, exclusive = false }: TcpListening): boolean {
    return owner === this.#owner || !(exclusive || this.#exclusive)
  }

  /** Keeps the port bound until the returned function is called. Calling it again does nothing. */
  reference(): () => void {
    this.#references += 1
    let held = true
    return () => {
      if (!held) return
      held = false
      this.#references -= 1
      this.#closeIfUnused()
    }
  }

  /** Adds a listener to a bound port. The returned function removes it. Throws `config.invalid`. */
  add(listener: TcpListening): () => void {
    const isProxied = proxiesOf(listener.proxyProtocolFrom ?? [], 'proxyProtocolFrom')
    const entry = { ...listener, isProxied, recognises: (head: Buffer) => listener.recognises(head) }
    this.#listeners = [entry, ...this.#listeners]
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== entry)
      // Undecided connections may have waited for this listener only, or now have a single one left.
      for (const sniffer of [...this.#own]) sniffer.decide()
    }
  }

  /** Accepts no more: another process does. Its listeners keep what they have accepted. */
  stop(): void {
    this.#isClosed = true
    this.#tcp.close()
  }

  #closeIfUnused(): void {
    if (this.#references > 0 || !this.#isBound || this.#isClosed) return
    this.#isClosed = true
    this.#tcp.close()
    this.#onFree()
  }

  readonly #onConnection = (socket: net.Socket): void => {
    if (!this.#accepted.admit(socket, this.#address)) return
    // Whose it is only its bytes behind the header tell: a proxy of one listener is one of the port.
    if (this.#listeners.some(({ isProxied }) => isProxied(socket))) this.#proxied.take(socket, this.#route)
    else this.#route(socket)
  }

  readonly #route = (socket: net.Socket): void => {
    const [only, ...others] = this.#listeners
    if (only === undefined) {
      socket.destroy()
      return
    }
    if (others.length === 0) {
      this.#accept(socket, only)
      return
    }
    const { sniffers, max, timeout } = this.#queue
    // Evict the oldest: honest clients identify their protocol within one round trip.
    const [oldest] = sniffers
    if (sniffers.size >= max) oldest?.drop()
    const sniffer: ProtocolSniffer = new ProtocolSniffer(socket, {
      listeners: () => this.#listeners,
      accept: (accepted, listener) => this.#accept(accepted, listener),
      onDone: () => {
        sniffers.delete(sniffer)
        this.#own.delete(sniffer)
      },
      timeout
    })
    sniffers.add(sniffer)
    this.#own.add(sniffer)
  }

  #accept(socket: net.Socket, listener: TcpListening): void {
    const { keepAlive = 15_000 } = listener
    if (keepAlive !== this.#keepAlive) socket.setKeepAlive(true, keepAlive)
    const face = { address: this.#address, extension: listener.owner }
    this.#accepted.handOver(socket, face, (accepted) => listener.onSocket(accepted))
  }
}
