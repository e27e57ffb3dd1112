import { formatPorts, type PortRange, portAllowed, visitorOf } from '@rystra/address'
import type { ResolvedServer } from '@rystra/config'
import { type Address, type Logger, RystraError, type VisitorInfo } from '@rystra/model'
import type { PublishAddress, UdpPort } from '@rystra/plugin'
import { bindPort } from './bind.js'
import type { Held } from './claims.js'
import { bindUdpPort, type Later, notBound, type Protocol, type Shared, shareLater } from './claimed-port.js'
import { failover, type OnVisitor } from './on-visitor.js'
import { lastPortKey } from './last-ports.js'
import { bindsPorts, checkHost, checkPort, freePorts, notBoundHere, portsOf } from './ports.js'
import type { Holder } from './owner.js'
import { isProxied } from './proxied-visitors.js'
import type { ServerState } from './state.js'

/** Ports tried before "no port is free" is believed: a range of thousands that others hold must not block the server. */
const FREE_TRIES = 1000

/** A port that was taken for a proxy: with what it is taken back after another one has failed to replace it. */
interface BoundPort {
  readonly key: string
  readonly protocol: Protocol
  readonly address: Address
  readonly onVisitor: OnVisitor
  /** Whether a socket for datagrams is handed on, see `PublishAddress.reuse`. */
  readonly reuse: boolean
}

/** The proxy whose ports they are. */
export interface PortHolder extends Holder {
  readonly log: Logger
  /** Throws when it was withdrawn meanwhile. */
  throwIfClosed(): void
}

/** The public ports of one proxy. */
export class PublishPorts {
  readonly #proxy: PortHolder
  readonly #state: ServerState
  readonly #addresses: Address[] = []
  readonly #bound: BoundPort[] = []
  /** The hosts its kind asked for; undefined is what the server publishes on. */
  readonly #hosts: (string | undefined)[] = []
  #publishHost = ''

  /** Those of the proxy that is being replaced. */
  #before: PublishPorts | undefined

  constructor(proxy: PortHolder, state: ServerState, before?: PublishPorts) {
    this.#proxy = proxy
    this.#state = state
    this.#before = before
  }

  /** The proxy has replaced the one before. */
  settle(): void {
    this.#before = undefined
  }

  /** What speaks against them after a reload. */
  review({ host, ports }: ResolvedServer['publish']): RystraError | undefined {
    try {
      for (const { port } of this.#addresses) checkPort(ports, port)
      for (const requested of this.#hosts) if (requested !== undefined) checkHost(host, requested)
    } catch (error) {
      return error as RystraError
    }
    const moved = this.#hosts.includes(undefined) && host !== this.#publishHost
    return moved ? new RystraError('proxy.changed', { side: 'server' }) : undefined
  }

  /** See `PublishHost.listen`. */
  async listen(address: PublishAddress, onVisitor: OnVisitor): Promise<Address> {
    return (await this.#open('tcp', address, onVisitor)).address
  }

  /** See `PublishHost.listenUdp`. */
  async listenUdp(address: PublishAddress): Promise<UdpPort> {
    // Members of a group would all read from the one socket.
    if (this.#proxy.group !== undefined) {
      throw new RystraError('proxy.invalid', { side: 'server', detail: 'a UDP port cannot be shared by a group' })
    }
    const { address: bound, socket } = await this.#open('udp', address, () => {})
    if (socket === undefined) throw new RystraError('internal', { detail: 'no UDP socket' })
    return { address: bound, socket }
  }

  /** Whether visitors come in at this server. */
  get #binds(): boolean {
    const { publish, cluster } = this.#state.config
    return bindsPorts(publish.on, cluster?.name, this.#proxy.remote !== undefined)
  }

  async #open(
    protocol: Protocol,
    { port = 0, host, reuse = false }: PublishAddress,
    onVisitor: OnVisitor
  ): Promise<Shared> {
    const { publish } = this.#state.config
    if (host !== undefined) checkHost(publish.host, host)
    this.#hosts.push(host)
    this.#publishHost = publish.host
    const at = host ?? publish.host
    const { remote } = this.#proxy
    if (remote !== undefined && !this.#binds) throw notBoundHere
    const ports = portsOf(publish.ports, this.#proxy.spec['ports'])
    // The port that another server was given is the one here, too.
    const wanted = remote?.ports[this.#bound.length] ?? port
    if (wanted !== 0) {
      checkPort(publish.ports, wanted)
      // The ranges of the spec have gaps where rules reserve ports for others: they are for the log alone.
      if (!portAllowed(ports, wanted))
        throw new RystraError('proxy.port-taken', {
          side: 'server',
          detail: `${wanted}; allowed: ${formatPorts(ports)}`
        })
      return this.#bind(protocol, { host: at, port: wanted }, onVisitor, reuse)
    }
    const { lastPorts, claims, ports: own } = this.#state
    const { session, spec } = this.#proxy
    const lastKey = lastPortKey(session, spec.name)
    const joined = await this.#join(protocol, at, ports, onVisitor)
    if (joined !== undefined) {
      lastPorts.set(lastKey, joined.address.port)
      return joined
    }
    const last = this.#before?.portOf(protocol) ?? lastPorts.get(lastKey)
    // Visitors know it: worth waiting for a predecessor that has not released it yet.
    if (last !== undefined && portAllowed(ports, last)) {
      const again = await this.#bindIfFree(protocol, { host: at, port: last }, onVisitor, reuse)
      if (again !== undefined) return again
    }
    let tries = 0
    for (const free of freePorts(ports)) {
      if (own.inherited.awaits(free) || (await claims.find(keyOf(protocol, free))) !== undefined) continue
      tries += 1
      if (tries > FREE_TRIES) break
      const bound = await this.#bindIfFree(protocol, { host: at, port: free }, onVisitor, reuse)
      if (bound === undefined) continue
      lastPorts.set(lastKey, free)
      return bound
    }
    throw new RystraError('proxy.no-free-port', { side: 'server' })
  }

  /** The members of a group have one port, whichever it is. `undefined` when there are no others. */
  async #join(
    protocol: Protocol,
    host: string,
    ports: readonly PortRange[],
    onVisitor: OnVisitor
  ): Promise<Shared | undefined> {
    const { claims } = this.#state
    for (;;) {
      const key = await claims.keyOfGroup(`${protocol} `, this.#proxy)
      const port = Number(key?.split(' ').at(-1))
      if (key === undefined || !portAllowed(ports, port)) return undefined
      try {
        return await this.#bind(protocol, { host, port }, onVisitor)
      } catch (error) {
        // The first member failed to bind this port, and tries another.
        if ((await claims.find(key)) !== undefined || !isTaken(error)) throw error
      }
    }
  }

  /** `undefined` when the port is taken, or cannot be bound. */
  async #bindIfFree(
    protocol: Protocol,
    address: Address,
    onVisitor: OnVisitor,
    reuse: boolean
  ): Promise<Shared | undefined> {
    try {
      return await this.#bind(protocol, address, onVisitor, reuse)
    } catch (error) {
      if (isTaken(error)) return undefined
      throw error
    }
  }

  async #bind(protocol: Protocol, address: Address, onVisitor: OnVisitor, reuse = false): Promise<Shared> {
    const key = keyOf(protocol, address.port)
    const { claims } = this.#state
    const held = await claims.take<OnVisitor>(
      key,
      { proxy: this.#proxy, value: onVisitor },
      { code: 'proxy.port-taken', what: String(address.port) }
    )
    const bound = { key, protocol, address, onVisitor, reuse }
    this.#bound.push(bound)
    try {
      this.#proxy.throwIfClosed()
      const there = held.shared as Later | undefined
      // Of a predecessor. A socket for datagrams is read by the kind that asked for it, which may hand it on.
      const isHandedOn = protocol === 'tcp' || reuse
      if (there !== undefined && held.size === 1 && (!isHandedOn || there.host !== address.host)) {
        held.shared = undefined
        await there.close()
      }
      // A member that joins while the first one binds waits for it.
      held.shared ??= shareLater(this.#bindNow(protocol, address, held), address.host)
      const later = held.shared as Later
      later.bound.catch(() => {
        // The next to take it binds anew.
        if (held.shared === later) held.shared = undefined
      })
      const shared = await later.bound
      this.#proxy.throwIfClosed()
      this.#addresses.push(shared.address)
      return shared
    } catch (error) {
      // What came from a predecessor goes back to it.
      if (this.#before?.has(key) !== true) {
        this.#bound.splice(this.#bound.indexOf(bound), 1)
        await claims.drop(key, this.#proxy)
      }
      throw error
    }
  }

  #bindNow(protocol: Protocol, address: Address, held: Held<OnVisitor>): Promise<Shared> {
    if (!this.#binds) return Promise.resolve(notBound(protocol, address))
    return protocol === 'tcp' ? this.#bindTcp(address, held) : bindUdpPort(address)
  }

  async #bindTcp(address: Address, held: Held<OnVisitor>): Promise<Shared> {
    const { accepted, ports } = this.#state
    return bindPort(address, accepted, `kind ${this.#proxy.spec.kind}`, ports.inherited, {
      onVisitor: (visitor) => {
        const info = visitorOf(visitor)
        const onVisitor = held.pick(info)
        if (onVisitor === undefined) {
          visitor.resetAndDestroy()
          this.#noMember(info, held)
        } else {
          if (held.size > 1) this.#state.failover.set(visitor, failover(visitor, info, held, onVisitor))
          onVisitor(visitor, info)
        }
      },
      // One that another member may have to serve is kept as it came.
      isProxied: (visitor) => isProxied(this.#state.config.publish)(visitor),
      takesRaw: () => this.#takesRaw && held.size === 1 && held.members[0]?.value.raw !== undefined,
      onRaw: (visitor, info) => {
        const onRaw = held.pick(info)?.raw
        if (onRaw === undefined) {
          visitor.reset()
          this.#noMember(info, held)
        } else onRaw(visitor, info)
      }
    })
  }

  /** A header of the PROXY protocol is read from sockets of Node. */
  get #takesRaw(): boolean {
    return this.#state.config.publish.proxyProtocolFrom === undefined
  }

  #noMember({ host, port }: VisitorInfo, { members }: Held<OnVisitor>): void {
    const proxy: Holder = members[0]?.proxy ?? this.#proxy
    const error = new RystraError('stream.no-member', { side: 'client', detail: proxy.group?.name ?? proxy.spec.name })
    this.#proxy.log.info({ visitor: host, err: error }, 'a stream was refused')
    const { session, spec } = proxy
    this.#state.refused({ what: 'stream', error, subject: `${host}:${port}`, session, proxy: spec })
  }

  /** Takes back what a successor had got, which failed. */
  async restore(): Promise<void> {
    this.#addresses.length = 0
    for (const { protocol, address, onVisitor, reuse } of this.#bound.splice(0)) {
      await this.#bind(protocol, address, onVisitor, reuse)
    }
  }

  has(key: string): boolean {
    return this.#bound.some((one) => one.key === key)
  }

  /** The port that it has, to be kept by a successor that takes any. */
  portOf(protocol: Protocol): number | undefined {
    const [first] = this.#bound.filter((one) => one.protocol === protocol)
    return first?.address.port
  }

  /** Those that are bound, in the order in which they were asked for. */
  get list(): number[] {
    return this.#bound.map(({ address }) => address.port)
  }

  /** Gives all of them back. */
  async close(): Promise<void> {
    await Promise.all(this.#bound.splice(0).map(({ key }) => this.#state.claims.drop(key, this.#proxy)))
  }
}

/** Whether another port may be free. */
const isTaken = (error: unknown): boolean =>
  (error as RystraError).code === 'proxy.port-taken' || (error as RystraError).code === 'proxy.port-privileged'

const keyOf = (protocol: Protocol, port: number): string => `${protocol} ${port}`
