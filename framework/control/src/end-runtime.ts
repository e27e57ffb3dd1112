import type { Kernel } from '@rystra/kernel'
import type { Side } from '@rystra/model'
import type {
  CertificateInfo,
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
import { type StreamTable, sumTraffic, TrafficTotals } from '@rystra/session'
import type { EndControl } from './end-control.js'
import type { EventLog } from './event-log.js'
import { type ExplainParts, explainVisit } from './explain/index.js'

/** The parts of an end that are made after its runtime. */
export interface EndRuntimeParts {
  readonly kernel: Kernel
  readonly control: EndControl
  readonly probe: ExplainParts['probe']
}

/** A session with the streams that it carries. */
export type SessionWithStreams = SessionHandle & { readonly streams: StreamTable }

/** What runs on one end, for its extensions and for the program around it. */
export abstract class EndRuntime<Parts extends EndRuntimeParts> implements Runtime {
  abstract readonly side: Side
  readonly totals = new TrafficTotals()
  readonly events: EventLog
  /** Sessions so far. */
  sessionsOpened = 0
  readonly #since: number
  #parts: Parts | undefined

  constructor(events: EventLog, since: number) {
    this.events = events
    this.#since = since
  }

  /** The end is made: from now on it is what is seen. */
  attach(parts: Parts): void {
    this.#parts = parts
  }

  protected get attached(): Parts {
    if (this.#parts === undefined) throw new TypeError('the runtime is of use from start() on, not in setup()')
    return this.#parts
  }

  get control(): EndControl {
    return this.attached.control
  }

  abstract sessions(): Iterable<SessionWithStreams>
  abstract session(id: string): SessionWithStreams | undefined
  abstract proxies(): Iterable<ProxyHandle>
  abstract proxy(id: string): ProxyHandle | undefined
  abstract listeners(): Iterable<ListenerHandle>
  /** Of {@link stats}. */
  protected abstract get proxyCount(): number

  *streams(): Iterable<StreamHandle> {
    for (const { streams } of this.sessions()) yield* streams.open.values()
  }

  stream(id: string): StreamHandle | undefined {
    return this.session(id.slice(0, id.indexOf('.')))?.streams.open.get(id)
  }

  /** Counts a refusal where its session counts, if it had one. */
  protected countAt(session: { readonly id: string } | undefined, code: string): void {
    const table = session === undefined ? undefined : this.session(session.id)?.streams
    ;(table ?? this.totals).refuse(code)
  }

  extensions(): Iterable<ExtensionInfo> {
    return this.control.extensions()
  }

  *certificates(): Iterable<CertificateInfo> {
    const { certificateSources } = this.attached.kernel.current.registries
    for (const name of certificateSources.list()) yield* certificateSources.get(name).list()
  }

  explain(target: string, options: ExplainOptions = {}): Promise<Explanation> {
    const { kernel, probe } = this.attached
    return explainVisit(target, options, { runtime: this, registries: kernel.current.registries, probe })
  }

  stats(): EndStats {
    const tables = Array.from(this.sessions(), ({ streams }) => streams)
    return {
      ...sumTraffic(this.totals, tables),
      since: this.#since,
      sessions: tables.length,
      sessionsOpened: this.sessionsOpened,
      proxies: this.proxyCount,
      generation: this.attached.kernel.current.id
    }
  }
}
