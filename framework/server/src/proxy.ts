import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { portAllowed, type ResolvedServer } from '@rystra/config'
import {
  type Address,
  type Logger,
  type ProxySpec,
  RystraError,
  type SessionInfo,
  type VisitorInfo
} from '@rystra/model'
import type { ProxyKind, PublishAddress, Published, PublishHost, Registry, StreamLink } from '@rystra/plugin'
import { type Bound, bindPort } from './bind.js'
import { checkHost, checkPort, freePorts } from './ports.js'
import type { ServerSession } from './server-session.js'
import type { ServerState } from './state.js'
import { relayVisitor } from './visitor.js'

/** Ports tried before "no port is free" is believed: a range of thousands that others hold must not block the server. */
const FREE_TRIES = 1000

/** One published proxy, and what its kind gets to publish it with. */
export class ServerProxy implements PublishHost {
  readonly spec: ProxySpec
  readonly log: Logger
  address = ''
  readonly #owner: ServerSession
  readonly #state: ServerState
  readonly #kind: ProxyKind
  readonly #gone = new AbortController()
  readonly #bound: Bound[] = []
  readonly #ports: string[] = []
  /** The hosts its kind asked for; undefined is what the server publishes on. */
  readonly #hosts: (string | undefined)[] = []
  #publishHost = ''
  #published: Published | undefined
  cancelExpiry: (() => void) | undefined

  constructor(spec: ProxySpec, kind: ProxyKind, owner: ServerSession, state: ServerState) {
    this.spec = spec
    this.#kind = kind
    this.#owner = owner
    this.#state = state
    this.log = owner.log.child({ proxy: spec.name })
  }

  get session(): SessionInfo {
    return this.#owner.info
  }

  get signal(): AbortSignal {
    return this.#gone.signal
  }

  get link(): StreamLink {
    return this.#owner.link
  }

  /** What speaks against it after a reload: it is not allowed any more, or would be published differently now. */
  review(kinds: Registry<ProxyKind>, { host, ports }: ResolvedServer['publish']): RystraError | undefined {
    try {
      for (const { address } of this.#bound) checkPort(ports, address.port)
      for (const asked of this.#hosts) if (asked !== undefined) checkHost(host, asked)
    } catch (error) {
      return error as RystraError
    }
    const { kind } = this.spec
    if (!kinds.has(kind)) return new RystraError('proxy.unknown-kind', { side: 'server', detail: kind })
    const moved = this.#hosts.includes(undefined) && host !== this.#publishHost
    return moved || kinds.get(kind) !== this.#kind ? new RystraError('proxy.changed', { side: 'server' }) : undefined
  }

  /** Makes it reachable. Throws what is to be told to the client; nothing is left behind then. */
  async publish(): Promise<void> {
    try {
      this.#published = await this.#kind.publish(this.spec, this)
      if (this.signal.aborted) {
        // Taken back meanwhile: `close` has been, and did not know of it.
        await this.#closeKind()
        throw new RystraError('session.lost')
      }
      this.address = this.#published.address
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async listen({ port = 0, host }: PublishAddress, onVisitor: (visitor: Socket) => void): Promise<Address> {
    const { publish } = this.#state.config
    if (host !== undefined) checkHost(publish.host, host)
    this.#hosts.push(host)
    this.#publishHost = publish.host
    const at = host ?? publish.host
    const visit = (visitor: Socket): void => {
      if (this.signal.aborted) visitor.destroy()
      else onVisitor(visitor)
    }
    if (port !== 0) {
      checkPort(publish.ports, port)
      return this.#bind({ host: at, port }, visit)
    }
    const { lastPorts, ports } = this.#state
    const mine = JSON.stringify([this.session.identity.id, this.session.client.id, this.spec.name])
    const last = lastPorts.get(mine)
    // Visitors know it: worth waiting for a predecessor that has not let go of it yet.
    if (last !== undefined && portAllowed(publish.ports, last)) {
      const again = await this.#bindIfFree({ host: at, port: last }, visit)
      if (again !== undefined) return again
    }
    let tries = 0
    for (const free of freePorts(publish.ports)) {
      if (ports.get(portKey(free)) !== undefined) continue
      tries += 1
      if (tries > FREE_TRIES) break
      const bound = await this.#bindIfFree({ host: at, port: free }, visit)
      if (bound === undefined) continue
      lastPorts.set(mine, free)
      return bound
    }
    throw new RystraError('proxy.no-free-port', { side: 'server' })
  }

  /** `undefined` when somebody else has the port, or none may have it. */
  async #bindIfFree(address: Address, visit: (visitor: Socket) => void): Promise<Address | undefined> {
    try {
      return await this.#bind(address, visit)
    } catch (error) {
      const { code } = error as RystraError
      if (code === 'proxy.port-taken' || code === 'proxy.port-privileged') return undefined
      throw error
    }
  }

  async #bind(address: Address, visit: (visitor: Socket) => void): Promise<Address> {
    const key = portKey(address.port)
    await this.#state.ports.take(key, { session: this.#owner, proxy: this.spec.name }, String(address.port))
    try {
      if (this.signal.aborted) throw new RystraError('session.lost')
      const bound = await bindPort(address, visit)
      if (this.signal.aborted) {
        // It was taken back meanwhile: nobody else knows of this port.
        await bound.close()
        throw new RystraError('session.lost')
      }
      this.#bound.push(bound)
      this.#ports.push(key)
      return bound.address
    } catch (error) {
      this.#state.ports.drop(key, this.#owner)
      throw error
    }
  }

  relay(visitor: Duplex, info: VisitorInfo): void {
    relayVisitor(visitor, info, this.spec, this.#owner, this.#state)
  }

  openStream(info: VisitorInfo): Promise<Duplex> {
    const [near, far] = duplexPair()
    return new Promise((resolve, reject) => {
      relayVisitor(far, info, this.spec, this.#owner, this.#state, (error) => {
        if (error === undefined) resolve(near)
        else reject(error)
      })
    })
  }

  /** Takes it back; streams that are open go on. */
  async close(): Promise<void> {
    if (this.signal.aborted) return
    this.#gone.abort()
    this.cancelExpiry?.()
    await Promise.all(this.#bound.splice(0).map((bound) => bound.close()))
    for (const key of this.#ports.splice(0)) this.#state.ports.drop(key, this.#owner)
    await this.#closeKind()
  }

  async #closeKind(): Promise<void> {
    try {
      await this.#published?.close?.()
    } catch (error) {
      this.log.warn({ err: error }, 'the kind failed to take the proxy back')
    }
  }
}

const portKey = (port: number): string => `tcp ${port}`
