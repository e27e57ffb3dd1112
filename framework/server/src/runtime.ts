import { type EndControl, type EventLog, type ExplainParts, explainVisit } from '@rystra/control'
import type { Kernel } from '@rystra/kernel'
import type {
  CertificateInfo,
  ClusterInfo,
  RuntimeCluster,
  EndStats,
  ExplainOptions,
  Explanation,
  ExtensionInfo,
  ListenerHandle,
  ProxyHandle,
  Runtime,
  StreamHandle
} from '@rystra/plugin'
import { sumTraffic, TrafficTotals } from '@rystra/session'
import type { Refused } from './events.js'
import type { Pushes } from './pushes.js'
import type { ServerSession } from './server-session.js'

/** The parts of a server that are made after its runtime. */
export interface RuntimeParts {
  readonly kernel: Kernel
  readonly control: EndControl
  readonly listeners: () => readonly ListenerHandle[]
  readonly probe: ExplainParts['probe']
  readonly pushes: Pushes
  readonly cluster: () => { readonly info: ClusterInfo; readonly remotes: RuntimeCluster } | undefined
}

/** What runs on a server, for its extensions and for the program around it. */
export class ServerRuntime implements Runtime {
  readonly side = 'server'
  /** By session id. */
  readonly byId = new Map<string, ServerSession>()
  readonly totals = new TrafficTotals()
  readonly events: EventLog
  /** Sessions so far. */
  sessionsOpened = 0
  readonly #since: number
  #parts: RuntimeParts | undefined

  constructor(events: EventLog, since: number) {
    this.events = events
    this.#since = since
  }

  /** The server is made: from now on it is what is seen. */
  attach(parts: RuntimeParts): void {
    this.#parts = parts
  }

  get #attached(): RuntimeParts {
    if (this.#parts === undefined) throw new TypeError('the runtime is of use from start() on, not in setup()')
    return this.#parts
  }

  get control(): EndControl {
    return this.#attached.control
  }

  /** Counts what is counted nowhere else: refused streams count themselves. */
  countRefusal({ what, error, session, stream }: Refused): void {
    if (what === 'stream' && stream !== undefined) return
    const table = session === undefined ? undefined : this.byId.get(session.id)?.streams
    ;(table ?? this.totals).refuse(error.code)
  }

  get cluster(): RuntimeCluster | undefined {
    return this.#attached.cluster()?.remotes
  }

  sessions(): Iterable<ServerSession> {
    return this.byId.values()
  }

  *proxies(): Iterable<ProxyHandle> {
    for (const { proxies } of this.byId.values()) yield* proxies.values()
    yield* this.#attached.pushes.waiting()
  }

  *streams(): Iterable<StreamHandle> {
    for (const { streams } of this.byId.values()) yield* streams.open.values()
  }

  listeners(): Iterable<ListenerHandle> {
    return this.#attached.listeners()
  }

  extensions(): Iterable<ExtensionInfo> {
    return this.#attached.control.extensions()
  }

  *certificates(): Iterable<CertificateInfo> {
    const { certificateSources } = this.#attached.kernel.current.registries
    for (const name of certificateSources.list()) yield* certificateSources.get(name).list()
  }

  session(id: string): ServerSession | undefined {
    return this.byId.get(id)
  }

  proxy(id: string): ProxyHandle | undefined {
    const end = id.indexOf('.')
    return this.byId.get(id.slice(0, end))?.proxies.get(id.slice(end + 1)) ?? this.#attached.pushes.find(id)
  }

  stream(id: string): StreamHandle | undefined {
    return this.byId.get(id.slice(0, id.indexOf('.')))?.streams.open.get(id)
  }

  explain(target: string, options: ExplainOptions = {}): Promise<Explanation> {
    const { kernel, probe } = this.#attached
    return explainVisit(target, options, { runtime: this, registries: kernel.current.registries, probe })
  }

  stats(): EndStats {
    const sessions = [...this.byId.values()]
    const tables = sessions.map(({ streams }) => streams)
    const cluster = this.#attached.cluster()?.info
    return {
      ...(cluster === undefined ? {} : { cluster }),
      ...sumTraffic(this.totals, tables),
      since: this.#since,
      sessions: sessions.length,
      sessionsOpened: this.sessionsOpened,
      proxies: sessions.reduce((sum, { proxies }) => sum + proxies.size, 0),
      generation: this.#attached.kernel.current.id
    }
  }
}
