import type { ProxyHandle, Runtime, StreamHandle } from '@rystra/plugin'
import type { ServerSession } from './server-session.js'

/** What runs on a server, for its extensions. */
export class ServerRuntime implements Runtime {
  readonly side = 'server'
  /** By session id. */
  readonly byId = new Map<string, ServerSession>()

  sessions(): Iterable<ServerSession> {
    return this.byId.values()
  }

  *proxies(): Iterable<ProxyHandle> {
    for (const { proxies } of this.byId.values()) {
      for (const proxy of proxies.values()) if (proxy.announced) yield proxy
    }
  }

  *streams(): Iterable<StreamHandle> {
    for (const { streams } of this.byId.values()) yield* streams.open
  }
}
