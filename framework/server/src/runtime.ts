import { EndRuntime, type EndRuntimeParts } from '@rystra/control'
import type { ClusterInfo, EndStats, ListenerHandle, ProxyHandle, RuntimeCluster } from '@rystra/plugin'
import type { Refused } from './events.js'
import type { Pushes } from './pushes.js'
import type { ServerSession } from './server-session.js'

/** The parts of a server that are made after its runtime. */
export interface RuntimeParts extends EndRuntimeParts {
  readonly listeners: () => readonly ListenerHandle[]
  readonly pushes: Pushes
  readonly cluster: () => { readonly info: ClusterInfo; readonly remotes: RuntimeCluster } | undefined
}

/** What runs on a server, for its extensions and for the program around it. */
export class ServerRuntime extends EndRuntime<RuntimeParts> {
  readonly side = 'server'
  /** By session id. */
  readonly byId = new Map<string, ServerSession>()

  /** Counts what is counted nowhere else: refused streams count themselves. */
  countRefusal({ what, error, session, stream }: Refused): void {
    if (what !== 'stream' || stream === undefined) this.countAt(session, error.code)
  }

  get cluster(): RuntimeCluster | undefined {
    return this.attached.cluster()?.remotes
  }

  sessions(): Iterable<ServerSession> {
    return this.byId.values()
  }

  *proxies(): Iterable<ProxyHandle> {
    for (const { proxies } of this.byId.values()) yield* proxies.values()
    yield* this.attached.pushes.waiting()
  }

  listeners(): Iterable<ListenerHandle> {
    return this.attached.listeners()
  }

  session(id: string): ServerSession | undefined {
    return this.byId.get(id)
  }

  proxy(id: string): ProxyHandle | undefined {
    const end = id.indexOf('.')
    return this.byId.get(id.slice(0, end))?.proxies.get(id.slice(end + 1)) ?? this.attached.pushes.find(id)
  }

  protected get proxyCount(): number {
    let count = 0
    for (const { proxies } of this.byId.values()) count += proxies.size
    return count
  }

  override stats(): EndStats {
    const cluster = this.attached.cluster()?.info
    return { ...(cluster === undefined ? {} : { cluster }), ...super.stats() }
  }
}
