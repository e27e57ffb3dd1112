import type { HostTable } from '@rystra/net'
import type { TrustedProxies } from '@rystra/address'
import type { ListenHost, Logger } from '@rystra/plugin'
import type { Watch } from './observe.js'
import type { HttpOptions } from './options.js'
import type { Pages } from './pages.js'
import type { HttpProxy } from './proxy.js'
import type { RequestLimits } from './request-limits.js'

/** What requests are served with. */
export interface World {
  readonly options: HttpOptions
  readonly table: HostTable<HttpProxy>
  readonly trusted: TrustedProxies
  readonly pages: Pages
  readonly limits: RequestLimits
  readonly log: Logger
  /** The body that answers a request for a challenge of HTTP-01. */
  readonly challenge: (host: string, path: string) => string | undefined
  readonly watch: Watch
  /** Whether clients of the process before are about to come back. */
  readonly ports: Pick<ListenHost, 'returning' | 'awaits' | 'otherProcess'>
}
