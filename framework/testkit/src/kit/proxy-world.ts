import {
  type Address,
  type Details,
  type ProxyKind,
  type ProxySpec,
  type Published,
  type PublishAddress,
  type PublishHost,
  type ReachHost,
  RystraError,
  type SessionInfo,
  type StreamInfo,
  silentLog,
  type UdpPort,
  type VisitorInfo
} from '@rystra/plugin'
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { duplexPair } from '../pair.js'
import { type Scope, turn } from './scope.js'
import { quiet } from './streams.js'
import { type Maker, make } from './subject.js'

/** A kind of proxy under test. */
export interface ProxyKindSubject {
  // biome-ignore lint/suspicious/noExplicitAny: each kind has a spec type of its own
  readonly kind: Maker<ProxyKind<any>>
  /** An entry of `client.proxies` for a service at this address, `127.0.0.1:port`. Any free public port. */
  spec(local: string): ProxySpec
  /** Entries that must be refused, by the schema or by `expand`, each with a name for the report. */
  readonly invalid?: Readonly<Record<string, ProxySpec>>
  /** Comes as a visitor and asks for the service's bytes. @default connects to the address with TCP */
  visit?(published: Published): Promise<Duplex> | Duplex
  /**
   * For a kind that is visited: an entry of `client.visitors`, on any free TCP port, for an entry made by {@link spec}.
   * Visitors come through it.
   */
  visitor?(spec: ProxySpec): ProxySpec
}

/** What a proxy that accepts visits does with them. */
type Admit = Parameters<PublishHost['acceptVisits']>[1]

const session: SessionInfo = {
  id: 'kit',
  identity: { id: 'kit' },
  client: { id: 'kit', instance: 'kit', agent: 'rystra-testkit' },
  peer: { address: '127.0.0.1', port: 1 },
  transport: 'memory',
  muxer: 'memory',
  since: 0
}

/** Joins two streams: ends travel as ends, and everything else as a reset. */
const join = (one: Duplex, other: Duplex): Promise<void> =>
  new Promise((resolve) => {
    const way = (from: Duplex, to: Duplex): void => {
      from.on('error', () => giveUp(to))
      from.on('close', () => {
        if (!from.readableEnded || !from.writableFinished) giveUp(to)
        if (one.closed && other.closed) resolve()
      })
      from.pipe(to)
    }
    const giveUp = (stream: Duplex): void => {
      if ('resetAndDestroy' in stream) (stream as Socket).resetAndDestroy()
      else stream.destroy()
    }
    way(one, other)
    way(other, one)
  })

/** A visitor whose stream was given to the kind, as the framework would. */
export interface Visit {
  readonly info: VisitorInfo
  /** How `reach` ended; `undefined` while it has not. */
  outcome: 'reached' | Error | undefined
  /** Says to the client's half that the visitor is gone. */
  readonly signal: AbortSignal
}

/** What the cases of the kit for kinds of proxy work with: a server's half and a client's half without a session between. */
export class ProxyWorld {
  readonly visits: Visit[] = []
  readonly #visitable = new Map<string, { readonly spec: ProxySpec; readonly admit: Admit }>()
  readonly #specs = new Map<string, ProxySpec>()

  private constructor(
    readonly subject: ProxyKindSubject,
    readonly scope: Scope,
    readonly server: ProxyKind,
    readonly client: ProxyKind
  ) {}

  static async open(subject: ProxyKindSubject, scope: Scope): Promise<ProxyWorld> {
    const server = await make(subject.kind, 'proxies', 'server', scope)
    return new ProxyWorld(subject, scope, server, await make(subject.kind, 'proxies', 'client', scope))
  }

  /** A service on a free port of this machine. */
  async service(onVisitor: (socket: Socket) => void): Promise<string> {
    const { host, port } = await this.#listen({}, (socket) => onVisitor(quiet(socket)))
    return `${host}:${port}`
  }

  /** Where no service is. */
  async nowhere(): Promise<string> {
    const servers: Server[] = []
    const { host, port } = await this.#listen({}, () => {}, servers)
    for (const server of servers) server.close()
    await turn()
    return `${host}:${port}`
  }

  /** The entries that the client makes of one. */
  expand(spec: ProxySpec): readonly ProxySpec[] {
    return this.client.expand?.(spec) ?? [spec]
  }

  /** What the server is told of an entry. */
  sent(spec: ProxySpec): ProxySpec {
    const local = this.client.localFields ?? []
    return Object.fromEntries(Object.entries(spec).filter(([field]) => !local.includes(field))) as ProxySpec
  }

  /** Publishes the first of what the client makes of an entry; `change` replaces parts of what the kind is given. */
  async publish(entry: ProxySpec, change: Partial<PublishHost> = {}): Promise<Published & { take(): Promise<void> }> {
    const [spec = entry] = this.expand(entry)
    const over = new AbortController()
    const servers: Server[] = []
    const take = async (): Promise<void> => {
      over.abort()
      await published?.close?.()
      for (const server of servers) server.close()
      await turn()
    }
    const host: PublishHost = {
      session,
      log: silentLog,
      signal: over.signal,
      hooks: { request: () => undefined, response: () => undefined, closeRequest: () => {} },
      listen: (address, onVisitor) => this.#listen(address, onVisitor, servers),
      relay: (visitor, info) => void this.#visited(spec, visitor, info),
      listenUdp: async (address) => this.#listenUdp(address),
      claim: async (key, value) => ({ key, size: 1, pick: () => value }),
      acceptVisits: async (name, admit) => void this.#visitable.set(name, { spec, admit }),
      tell: () => {},
      admit: (info) => ({ info: this.#streamOf(spec, info), close: () => {} }),
      openStream: async (info) => ({ stream: this.#reach(spec, info), info: this.#streamOf(spec, info) }),
      ...change
    }
    let published: Published | undefined
    this.scope.defer(take)
    published = await this.scope.wait(this.server.publish(this.sent(spec), host), 'publish()')
    this.#specs.set(published.address, spec)
    return { ...published, take }
  }

  /** Comes as a visitor. */
  async visit(published: Published): Promise<Duplex> {
    const way = this.subject.visitor === undefined ? published : await this.#wayIn(this.subject.visitor, published)
    const visitor = quiet(await (this.subject.visit ?? connectTo)(way))
    this.scope.defer(() => visitor.destroy())
    return visitor
  }

  /** The visiting half, at a client without a session: what it opens goes to the server's half at once. */
  async #wayIn(entryOf: (spec: ProxySpec) => ProxySpec, { address }: Published): Promise<Published> {
    const spec = this.#specs.get(address)
    assert.ok(spec !== undefined && this.client.visit !== undefined, 'the kind cannot be visited')
    const entry = entryOf(spec)
    const gone = new AbortController()
    const refused = (): Promise<never> => Promise.reject(new RystraError('stream.no-visits'))
    const visiting = await this.scope.wait(
      this.client.visit(entry, {
        log: silentLog,
        signal: gone.signal,
        session,
        up: () => Promise.resolve(),
        relay: (visitor, of, info, details = {}) => {
          this.#admit(of, info, details).then(
            (stream) => join(quiet(visitor), stream),
            () => visitor.destroy()
          )
        },
        openStream: refused
      }),
      'visit()'
    )
    this.scope.defer(async () => {
      gone.abort()
      await visiting.close?.()
    })
    return visiting
  }

  async #admit(of: string, info: VisitorInfo, details: Details): Promise<Duplex> {
    const found = this.#visitable.get(of)
    if (found === undefined) throw new RystraError('stream.no-visits', { detail: of })
    return this.#reach(found.spec, info, await found.admit({ session, visitor: info, details }))
  }

  #visited(spec: ProxySpec, visitor: Duplex, info: VisitorInfo): Promise<void> {
    return join(quiet(visitor), this.#reach(spec, info))
  }

  /** The client's half, for one stream. Answers with the server's end of the stream. */
  #reach(spec: ProxySpec, info: VisitorInfo, details?: Details): Duplex {
    const [near, far] = duplexPair().map(quiet) as [Duplex, Duplex]
    const gone = new AbortController()
    far.on('error', () => gone.abort())
    const visit: Visit = { info, outcome: undefined, signal: gone.signal }
    this.visits.push(visit)
    const stream = { ...this.#streamOf(spec, info), ...(details === undefined ? {} : { details }) }
    const host: ReachHost = {
      stream,
      log: silentLog,
      signal: gone.signal,
      connect: (local) => this.#connect(local),
      relay: (service) => join(far, quiet(service)),
      accept: () => far
    }
    Promise.resolve()
      .then(() => this.client.reach(spec, host))
      .then(
        () => {
          visit.outcome = 'reached'
        },
        (error: Error) => {
          visit.outcome = error
          far.destroy(error)
        }
      )
    return near
  }

  #streamOf(spec: ProxySpec, info: VisitorInfo): StreamInfo {
    return { id: String(this.visits.length), proxy: spec, visitor: info, session, side: 'client' }
  }

  async #listenUdp({ port = 0, host = '127.0.0.1' }: PublishAddress): Promise<UdpPort> {
    const socket = createSocket('udp4')
    this.scope.defer(() => new Promise<void>((resolve) => socket.close(resolve)).catch(() => {}))
    socket.bind(port, host)
    await once(socket, 'listening')
    const bound = socket.address()
    return { address: { host: bound.address, port: bound.port }, socket }
  }

  async #connect(local: string): Promise<Socket> {
    const { host, port } = addressOf(local)
    const socket = quiet(connect({ host, port, allowHalfOpen: true }))
    this.scope.defer(() => socket.destroy())
    try {
      await once(socket, 'connect')
    } catch (cause) {
      throw new RystraError('stream.service-unreachable', { side: 'client', detail: local, cause })
    }
    return socket
  }

  async #listen(
    address: { port?: number; host?: string },
    onVisitor: (socket: Socket) => void,
    servers: Server[] = []
  ): Promise<Address> {
    const sockets = new Set<Socket>()
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket)
      onVisitor(socket)
    })
    servers.push(server)
    this.scope.defer(() => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    server.listen(address.port ?? 0, address.host ?? '127.0.0.1')
    try {
      await once(server, 'listening')
    } catch (cause) {
      throw new RystraError('proxy.port-taken', { detail: String(address.port), cause })
    }
    const { address: host, port } = server.address() as { address: string; port: number }
    return { host, port }
  }
}

const addressOf = (text: string): Address => {
  const colon = text.lastIndexOf(':')
  return { host: colon < 0 ? '127.0.0.1' : text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

const connectTo = async ({ address }: Published): Promise<Duplex> => {
  const socket = quiet(connect({ ...addressOf(address), allowHalfOpen: true }))
  await once(socket, 'connect')
  return socket
}
