import { EndRuntime, type EndRuntimeParts, type SessionWithStreams } from '@rystra/control'
import type { RystraError, SessionInfo } from '@rystra/model'
import type { ListenerHandle, ProxyHandle } from '@rystra/plugin'

/** The parts of a client that are made after its runtime. */
export interface RuntimeParts extends EndRuntimeParts {
  /** The newest first. */
  readonly sessions: () => readonly SessionWithStreams[]
  readonly proxies: () => readonly ProxyHandle[]
  readonly proxy: (name: string) => ProxyHandle | undefined
}

/** What runs on a client, for its extensions and for the program around it. */
export class ClientRuntime extends EndRuntime<RuntimeParts> {
  readonly side = 'client'

  /** Counts what is counted nowhere else: refused streams of a session count themselves. */
  countRefusal(what: string, { code }: RystraError, session: SessionInfo | undefined): void {
    if (what !== 'stream' || session === undefined) this.countAt(session, code)
  }

  sessions(): Iterable<SessionWithStreams> {
    return this.attached.sessions()
  }

  proxies(): Iterable<ProxyHandle> {
    return this.attached.proxies()
  }

  listeners(): Iterable<ListenerHandle> {
    return []
  }

  session(id: string): SessionWithStreams | undefined {
    return this.attached.sessions().find((session) => session.id === id)
  }

  proxy(id: string): ProxyHandle | undefined {
    return this.attached.proxy(id)
  }

  protected get proxyCount(): number {
    return this.attached.proxies().length
  }
}
