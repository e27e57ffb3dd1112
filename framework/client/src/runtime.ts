import { type EndControl, type EventLog, type ExplainParts, explainVisit } from '@rystra/control'
import type { Kernel } from '@rystra/kernel'
import type { RystraError, SessionInfo } from '@rystra/model'
import type {
  EndStats,
  ExplainOptions,
  Explanation,
  ExtensionInfo,
  ListenerHandle,
  ProxyHandle,
  Runtime,
  SessionHandle,
  StreamHandle
} from '@rystra/plugin'
import { sumTraffic, type StreamTable, TrafficTotals } from '@rystra/session'

type Session = SessionHandle & { readonly streams: StreamTable }

/** The parts of a client that are made after its runtime. */
export interface RuntimeParts {
  readonly kernel: Kernel
  readonly control: EndControl
  /** The newest first. */
  readonly sessions: () => readonly Session[]
  readonly proxies: () => readonly ProxyHandle[]
  readonly proxy: (name: string) => ProxyHandle | undefined
  readonly probe: ExplainParts['probe']
}

/** What runs on a client, for its extensions and for the program around it. */
export class ClientRuntime implements Runtime {
  readonly side = 'client'
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

  /** The client is made: from now on it is what is seen. */
  attach(parts: RuntimeParts): void {
    this.#parts = parts
  }

  get #attached(): RuntimeParts {
    if (this.#parts === undefined) throw new TypeError('the runtime is of use from start() on, not in setup()')
    return this.#parts
  }

  /** Counts what is counted nowhere else: refused streams of a session count themselves. */
  countRefusal(what: string, { code }: RystraError, session: SessionInfo | undefined): void {
    if (what === 'stream' && session !== undefined) return
    const table = session === undefined ? undefined : this.session(session.id)?.streams
    ;(table ?? this.totals).refuse(code)
  }

  get control(): EndControl {
    return this.#attached.control
  }

  sessions(): Iterable<SessionHandle> {
    return this.#attached.sessions()
  }

  proxies(): Iterable<ProxyHandle> {
    return this.#attached.proxies()
  }

  *streams(): Iterable<StreamHandle> {
    for (const { streams } of this.#attached.sessions()) yield* streams.open.values()
  }

  listeners(): Iterable<ListenerHandle> {
    return []
  }

  extensions(): Iterable<ExtensionInfo> {
    return this.#attached.control.extensions()
  }

  certificates(): Iterable<never> {
    return []
  }

  session(id: string): Session | undefined {
    return this.#attached.sessions().find((session) => session.id === id)
  }

  proxy(id: string): ProxyHandle | undefined {
    return this.#attached.proxy(id)
  }

  stream(id: string): StreamHandle | undefined {
    return this.session(id.slice(0, id.indexOf('.')))?.streams.open.get(id)
  }

  explain(target: string, options: ExplainOptions = {}): Promise<Explanation> {
    const { kernel, probe } = this.#attached
    return explainVisit(target, options, { runtime: this, registries: kernel.current.registries, probe })
  }

  stats(): EndStats {
    const { sessions, proxies, kernel } = this.#attached
    const tables = sessions().map(({ streams }) => streams)
    return {
      ...sumTraffic(this.totals, tables),
      since: this.#since,
      sessions: tables.length,
      sessionsOpened: this.sessionsOpened,
      proxies: proxies().length,
      generation: kernel.current.id
    }
  }
}
