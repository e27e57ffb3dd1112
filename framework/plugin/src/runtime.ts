import type { Side } from '@rystra/model'
import type { CertificateInfo } from './certificates.js'
import type { RuntimeCluster } from './cluster.js'
import type { RuntimeControl } from './control.js'
import type { RuntimeEvents } from './events.js'
import type { ExplainOptions, Explanation } from './explain.js'
import type { EndStats, ExtensionInfo, ListenerHandle, ProxyHandle, SessionHandle, StreamHandle } from './handles.js'

/**
 * What runs at one end now, what happens there, and what can be done about it. The same object over reloads. Extensions
 * have it as `context.runtime`, programs as `server.runtime` and `client.runtime`.
 */
export interface Runtime {
  readonly side: Side
  sessions(): Iterable<SessionHandle>
  /** Also those that are being published, or refused: see `info.state`. */
  proxies(): Iterable<ProxyHandle>
  streams(): Iterable<StreamHandle>
  /** Where clients are accepted; a client has none. */
  listeners(): Iterable<ListenerHandle>
  /** In the order of the configuration. */
  extensions(): Iterable<ExtensionInfo>
  /** Of hosts whose TLS ends at a server, from all `registries.certificateSources`; a client has none. */
  certificates(): Iterable<CertificateInfo>
  /** By its id, at once. */
  session(id: string): SessionHandle | undefined
  /** By the id of its handle, at once. */
  proxy(id: string): ProxyHandle | undefined
  /** By the id of its handle, at once. */
  stream(id: string): StreamHandle | undefined
  stats(): EndStats
  /**
   * Why a visitor of `https://host/path` or `host:port` is served, or is not: what it meets on its way. Changes nothing.
   * Rejects with `usage.invalid`.
   */
  explain(target: string, options?: ExplainOptions): Promise<Explanation>
  readonly events: RuntimeEvents
  /** Absent at a client, and at a server alone. */
  readonly cluster?: RuntimeCluster | undefined
  readonly control: RuntimeControl
}
