import type { ProxyHandle, Runtime, SessionHandle, StreamHandle } from '@rystra/plugin'
import type { StreamTable } from '@rystra/session'

type Session = SessionHandle & { readonly streams: StreamTable }

/** What runs on a client, for its extensions. */
export class ClientRuntime implements Runtime {
  readonly side = 'client'
  #sessions: () => readonly Session[] = () => []
  #proxies: () => readonly ProxyHandle[] = () => []

  /** The client is made: from now on it is what is seen. */
  watch(sessions: () => readonly Session[], proxies: () => readonly ProxyHandle[]): void {
    this.#sessions = sessions
    this.#proxies = proxies
  }

  sessions(): Iterable<SessionHandle> {
    return this.#sessions()
  }

  proxies(): Iterable<ProxyHandle> {
    return this.#proxies()
  }

  *streams(): Iterable<StreamHandle> {
    for (const { streams } of this.#sessions()) yield* streams.open
  }
}
