import { once } from 'node:events'
import type { Address, Listener, ListenHost, TcpListening } from '@rystra/plugin'
import { promises as dns } from 'node:dns'
import net from 'node:net'
import { hostPort } from '@rystra/address'
import { AcceptedSockets, type AcceptedSocketsOptions } from './accepted-sockets.js'
import { listenError } from './errors.js'
import { type InheritedSocket, InheritedSockets, OWNER_TIMEOUT_MS, RETURN_TIMEOUT_MS } from './inherited-sockets.js'
import { OtherProcessRoutes } from './other-process-routes.js'
import { orAborted } from './race.js'
import { SharedPort, type SniffQueue } from './shared-port.js'

/** Limits of connections whose protocol is not recognised yet. */
export interface SharedPortsOptions extends AcceptedSocketsOptions {
  /** Maximum of such connections; one more closes the oldest. Each may hold 80 KiB. @default 512 */
  readonly undecided?: number
  /** Milliseconds until the protocol must be recognised. @default 10000, the time of a handshake */
  readonly timeout?: number
  /** Sockets that listen already. @default none */
  readonly sockets?: readonly InheritedSocket[] | undefined
  /** Those sockets are listened on when it resolves: until then another process accepts. @default at once */
  readonly begin?: Promise<void> | undefined
  /** What that process had published when it accepted no more; nothing where it cannot say. @default nothing */
  readonly published?: Promise<readonly string[] | undefined> | undefined
  /** Whether other processes may bind the same addresses (SO_REUSEPORT); see `canReusePort`. @default false */
  readonly reusePort?: boolean
}

/**
 * The TCP ports of one server. A listener that is alone on its address gets the connections as they come; where several
 * share one, the first bytes of each connection are read and put back.
 */
export class SharedPorts implements ListenHost {
  readonly accepted: AcceptedSockets
  /** Listening sockets that this process was started with. */
  readonly inherited: InheritedSockets
  returning: Promise<void> | undefined
  otherProcess: OtherProcessRoutes | undefined
  readonly #ports = new Map<string, SharedPort>()
  readonly #queue: SniffQueue
  readonly #reusePort: boolean
  #left = false

  constructor({
    undecided = 512,
    timeout = 10_000,
    sockets,
    begin,
    published,
    reusePort = false,
    ...accepted
  }: SharedPortsOptions = {}) {
    this.accepted = new AcceptedSockets(accepted)
    this.inherited = new InheritedSockets(sockets, begin)
    if (sockets !== undefined && sockets.length > 0) this.returning = this.#waitForReturn(begin, published)
    this.#reusePort = reusePort
    this.#queue = { sniffers: new Set(), max: undecided, timeout }
  }

  async #waitForReturn(begin: SharedPortsOptions['begin'], published: SharedPortsOptions['published']): Promise<void> {
    await begin
    const over = new Promise<void>((resolve) => void setTimeout(resolve, RETURN_TIMEOUT_MS).unref())
    const names = await Promise.race([published, over])
    if (names !== undefined && !this.#left) {
      const before = new OtherProcessRoutes(names)
      this.otherProcess = before
      const forget = (): void => {
        if (this.otherProcess === before) this.otherProcess = undefined
      }
      setTimeout(forget, OWNER_TIMEOUT_MS).unref()
    }
    await over
    this.returning = undefined
  }

  /** What the process before had published; `undefined` when none is waited for any more, or it has not said so. */
  get before(): OtherProcessRoutes | undefined {
    return this.returning === undefined ? undefined : this.otherProcess
  }

  /** See {@link ListenHost.awaits}. */
  awaits(name: string): boolean {
    return this.returning !== undefined && this.otherProcess?.covers(name) !== false
  }

  /** Connections whose protocol is not recognised yet. */
  get undecided(): number {
    return this.#queue.sniffers.size
  }

  /** Whether a listener of this object has this address. */
  has({ host, port }: Address): boolean {
    return this.#ports.has(keyOf(host, port))
  }

  /** Addresses whose port the system chose. */
  async chosen(): Promise<Address[]> {
    return Promise.all([...new Set(this.#ports.values())].filter((port) => port.chosen).map(({ bound }) => bound))
  }

  /**
   * The process after this one accepts from now on. Inherited sockets that have an owner are closed with it.
   *
   * @param published What it is told, see `published` of the options
   */
  leave(published: Iterable<string>): void {
    this.#left = true
    this.otherProcess = new OtherProcessRoutes(published)
    for (const port of new Set(this.#ports.values())) port.stop()
    this.inherited.leave()
  }

  /** Rejects with `listen.*` when an address could not be bound now: it is, for a moment, unless a listener here has it. */
  async probe({ host, port }: Address): Promise<void> {
    try {
      const address = await resolved(host)
      if (port === 0 || this.#ports.has(keyOf(address, port)) || this.inherited.find(address, port) !== undefined)
        return
      const server = net.createServer().listen({ host: address, port, exclusive: true })
      await once(server, 'listening')
      await new Promise((resolve) => server.close(resolve))
    } catch (error) {
      throw listenError(error as NodeJS.ErrnoException, host, port, this.#overlap(error, port))
    }
  }

  /** See {@link ListenHost.listenTcp}. The first listener of an address sets its backlog. */
  async listenTcp(options: TcpListening, signal: AbortSignal): Promise<Listener> {
    const { host, port } = options
    let release = (): void => {}
    try {
      signal.throwIfAborted()
      const address = await orAborted(resolved(host), signal)
      const shared = this.#portAt(address, options)
      release = shared.reference()
      const bound = await orAborted(shared.bound, signal)
      signal.throwIfAborted()
      if (port === 0) this.#ports.set(keyOf(address, bound.port), shared)
      const remove = shared.add(options)
      const end = (): void => {
        signal.removeEventListener('abort', end)
        remove()
        release()
      }
      signal.addEventListener('abort', end)
      return {
        address: bound,
        // Accepted connections go on. One turn of the event loop closes the handle.
        close: () =>
          new Promise((resolve) => {
            end()
            setImmediate(resolve)
          })
      }
    } catch (error) {
      release()
      throw listenError(error as NodeJS.ErrnoException, host, port, this.#overlap(error, port))
    }
  }

  #portAt(address: string, options: TcpListening): SharedPort {
    const there = options.port === 0 ? undefined : this.#ports.get(keyOf(address, options.port))
    if (there?.admits(options) === false) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' })
    if (there !== undefined) return there
    const made = new SharedPort(
      address,
      { ...options, reusePort: this.#reusePort },
      this.#queue,
      this.accepted,
      this.inherited,
      () => {
        for (const [key, shared] of this.#ports) if (shared === made) this.#ports.delete(key)
      }
    )
    if (options.port !== 0) this.#ports.set(keyOf(address, options.port), made)
    return made
  }

  /** Names a listener of this server that holds the port on another address, for example `0.0.0.0` and `127.0.0.1`. */
  #overlap(error: unknown, port: number): string {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return ''
    const there = [...this.#ports.keys()].find((key) => key.endsWith(` ${port}`))?.split(' ')[0]
    return there === undefined
      ? ''
      : `: ${hostPort(there, port)} of this server listens there; listeners that share a port need the same host`
  }
}

const keyOf = (address: string, port: number): string => `${address} ${port}`

/** The canonical text of the address to bind: of a name the first address, as Node binds it. */
const resolved = async (host: string): Promise<string> => {
  const { address, family } =
    net.isIP(host) === 0 ? await dns.lookup(host, { verbatim: true }) : { address: host, family: net.isIP(host) }
  // `SocketAddress` takes no zone.
  if (family !== 6 || address.includes('%')) return address
  return new net.SocketAddress({ address, family: 'ipv6' }).address
}
