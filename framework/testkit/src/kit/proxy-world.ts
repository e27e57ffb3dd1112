import {
  type Admission,
  type Details,
  type OpenedStream,
  type ProxyKind,
  type ProxySpec,
  type Published,
  type PublishHost,
  type ReachHost,
  RystraError,
  type StreamInfo,
  silentLog,
  type VisitDetails,
  type VisitorInfo
} from '@rystra/plugin'
import assert from 'node:assert/strict'
import type { Socket as UdpSocket } from 'node:dgram'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { duplexPair } from '../pair.js'
import { connectTo, join } from './proxy-ends.js'
import { connectTcp, listenTcp, listenUdp } from './proxy-sockets.js'
import type { ProxyKindSubject } from './proxy-subject.js'
import { type ServedVisitor, session, type ReachObserver, type Visit } from './proxy-visit.js'
import { type Scope, turn } from './scope.js'
import { quiet } from './streams.js'
import { make } from './subject.js'

/** What a proxy that accepts visits does with them. */
type Admit = Parameters<PublishHost['acceptVisits']>[1]

const detailsFor = (details: VisitDetails): Details => (typeof details === 'function' ? details(session) : details)

/** What the cases of the kit for kinds of proxy work with: a server's half and a client's half without a session between. */
export class ProxyWorld {
  readonly visits: Visit[] = []
  readonly served: ServedVisitor[] = []
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
  async service(onVisitor: (stream: Duplex) => void): Promise<string> {
    const { serve = (socket: Socket) => socket } = this.subject
    const { host, port } = await listenTcp(this.scope, {}, (socket) => {
      Promise.resolve(serve(quiet(socket))).then(onVisitor, () => socket.destroy())
    })
    return `${host}:${port}`
  }

  /** Where no service is. */
  async nowhere(): Promise<string> {
    const servers: Server[] = []
    const { host, port } = await listenTcp(this.scope, {}, () => {}, servers)
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
    const sockets: UdpSocket[] = []
    const take = async (): Promise<void> => {
      over.abort()
      await published?.close?.()
      for (const one of [...servers.splice(0), ...sockets.splice(0)]) one.close()
      await turn()
    }
    const host: PublishHost = {
      session,
      log: silentLog,
      signal: over.signal,
      hooks: {
        tapsRequests: false,
        request: () => undefined,
        tapsResponses: false,
        response: () => undefined,
        closeRequest: () => {}
      },
      listen: (address, onVisitor = (visitor, info) => host.relay(visitor, info)) =>
        listenTcp(this.scope, address, onVisitor, servers),
      relay: (visitor, info, { details } = {}) => void join(quiet(visitor), this.#reach(spec, info, details)),
      listenUdp: (address) => listenUdp(address, sockets),
      claim: async (key, value) => ({ key, size: 1, pick: (_, tried) => (tried?.has(value) ? undefined : value) }),
      acceptVisits: async (name, admit) => void this.#visitable.set(name, { spec, admit }),
      tell: () => {},
      admit: (info) => this.#let(spec, info),
      openStream: (info, { details } = {}) => this.#opened(spec, info, details),
      ...change
    }
    let published: Published | undefined
    this.scope.defer(take)
    published = await this.scope.wait(this.server.publish(this.sent(spec), host), 'publish()')
    this.#specs.set(published.address, spec)
    return { ...published, take }
  }

  /** Where visitors come in: where it is published, or at a client that visits. */
  async wayTo(published: Published): Promise<Published> {
    return this.subject.visitor === undefined ? published : this.#wayIn(this.subject.visitor, published)
  }

  /** Comes as a visitor. */
  async visit(published: Published): Promise<Duplex> {
    const way = await this.wayTo(published)
    const spec = this.#specs.get(published.address) as ProxySpec
    const visitor = quiet(await (this.subject.visit ?? connectTo)(way, spec))
    this.scope.defer(() => visitor.destroy())
    return visitor
  }

  /** The visiting half, at a client without a session: what it opens goes to the server's half at once. */
  async #wayIn(entryOf: (spec: ProxySpec) => ProxySpec, { address }: Published): Promise<Published> {
    const spec = this.#specs.get(address)
    assert.ok(spec !== undefined && this.client.visit !== undefined, 'the kind cannot be visited')
    const entry = entryOf(spec)
    const gone = new AbortController()
    const visiting = await this.scope.wait(
      this.client.visit(entry, {
        log: silentLog,
        signal: gone.signal,
        session,
        up: () => Promise.resolve(),
        relay: (visitor, of, info, details = {}) => {
          this.#found(of, info, detailsFor(details)).then(
            (found) => join(quiet(visitor), this.#reach(found.spec, info, found.details)),
            () => visitor.destroy()
          )
        },
        openStream: async (of, info, { details = {} } = {}) => {
          const found = await this.#found(of, info, detailsFor(details))
          return this.#opened(found.spec, info, found.details)
        }
      }),
      'visit()'
    )
    this.scope.defer(async () => {
      gone.abort()
      await visiting.close?.()
    })
    return visiting
  }

  async #found(of: string, visitor: VisitorInfo, said: Details): Promise<{ spec: ProxySpec; details: Details }> {
    const found = this.#visitable.get(of)
    if (found === undefined) throw new RystraError('stream.no-visits', { detail: of })
    return { spec: found.spec, details: await found.admit({ session, visitor, details: said }) }
  }

  /** A stream once its service is reached, as the framework opens it. */
  async #opened(spec: ProxySpec, info: VisitorInfo, details?: Details): Promise<OpenedStream> {
    let reached: () => void = () => {}
    let failed: (error: Error) => void = () => {}
    const settled = new Promise<void>((resolve, reject) => {
      reached = resolve
      failed = reject
    })
    const stream = this.#reach(spec, info, details, { reached, failed })
    await settled
    return { stream, info: this.#streamOf(spec, info, details) }
  }

  /** The client's half, for one stream. Answers with the server's end of the stream. */
  #reach(spec: ProxySpec, info: VisitorInfo, details?: Details, observer?: ReachObserver): Duplex {
    const [near, far] = duplexPair().map(quiet) as [Duplex, Duplex]
    const gone = new AbortController()
    far.on('error', () => gone.abort())
    const visit: Visit = { info, outcome: undefined, signal: gone.signal }
    this.visits.push(visit)
    const stream = this.#streamOf(spec, info, details)
    const host: ReachHost = {
      stream,
      spec,
      log: silentLog,
      signal: gone.signal,
      connect: (local) => connectTcp(this.scope, local),
      connector: (local) => () => connectTcp(this.scope, local),
      relay: (service) => {
        observer?.reached()
        return join(far, quiet(service))
      },
      relayTo: async (local) => host.relay(await connectTcp(this.scope, local)),
      accept: () => {
        observer?.reached()
        return far
      }
    }
    Promise.resolve()
      .then(() => this.client.reach(spec, host))
      .then(
        () => {
          visit.outcome = 'reached'
        },
        (error: Error) => {
          visit.outcome = error
          observer?.failed(error)
          far.destroy(error)
        }
      )
    return near
  }

  #streamOf(spec: ProxySpec, visitor: VisitorInfo, details?: Details): StreamInfo {
    const withDetails = details === undefined ? {} : { details }
    return { id: String(this.visits.length), proxy: spec, visitor, session, side: 'client', ...withDetails }
  }

  /** Lets a visitor in that has no stream of its own, as the framework would. */
  #let(spec: ProxySpec, visitor: VisitorInfo): Admission {
    const entry: ServedVisitor = { visitor, over: undefined }
    this.served.push(entry)
    return {
      info: this.#streamOf(spec, visitor),
      close: (toService, toVisitor) => {
        assert.equal(entry.over, undefined, 'a visitor is over twice')
        entry.over = { toService, toVisitor }
      }
    }
  }
}
