import type { ProxySpec, SessionInfo } from '@rystra/model'

/** How a proxy is asked for. */
export interface RegisterOptions {
  /** The port that a server chose for it before. */
  readonly lastPort?: number | undefined
  /** Whether it takes the place of the one of the same name, without a gap. */
  readonly replace?: boolean
  /** The PushProxy that asked for it. */
  readonly push?: number | undefined
}

/** The session that is asked for proxies. */
export interface RegistrySession {
  readonly info: SessionInfo
  /** The host that was dialed. */
  readonly host?: string
  /** Resolves to the public address; rejects with what the server says. */
  register(sent: ProxySpec, options: RegisterOptions): Promise<string>
  unregister(name: string): void
  /** Tells the server how the service behind a proxy is. */
  tellHealth(name: string, up: boolean): void
}
