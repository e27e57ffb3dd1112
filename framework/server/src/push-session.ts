import type { Logger, ProxySpec, RystraError, SessionInfo } from '@rystra/model'
import type { ProxyHandle, ProxyInfo, UnregisterProxyContext } from '@rystra/plugin'
import type { Message } from '@rystra/protocol'

/** What an administrator has added, as the proxies that come of it see it. */
export interface PushOrigin {
  /** In the words of `ProxyInfo`. */
  readonly origin: Pick<ProxyInfo, 'origin' | 'by'>
  /** Takes it back and forgets it. Rejects with `extension.state` when that cannot be kept. */
  remove(): Promise<void>
  /** The same; what fails is logged. */
  close(): void
}

/** A proxy of a client, as pushes need it. */
export interface RegisteredProxy extends ProxyHandle {
  readonly spec: ProxySpec
  /** What it was added by, if an administrator has added it. */
  readonly pushed: PushOrigin | undefined
}

/** The session of a client, as pushes need it. */
export interface PushSession {
  readonly info: SessionInfo
  readonly log: Logger
  /** What both ends can beyond the minor version. */
  readonly features: readonly string[]
  /** Resolves when messages can be sent; not for one that ends before. */
  readonly started: Promise<void>
  readonly ended: boolean
  readonly proxies: ReadonlyMap<string, RegisteredProxy>
  send(message: Message): void
  takeBack(name: string, reason: UnregisterProxyContext['reason'], error: RystraError): void
}
