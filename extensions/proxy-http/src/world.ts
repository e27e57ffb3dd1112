import type { TrustedProxies } from '@rystra/address'
import type { Logger } from '@rystra/plugin'
import type { HttpOptions } from './options.js'
import type { Pages } from './pages.js'
import type { HttpProxy } from './proxy.js'
import type { RequestLimits } from './request-limits.js'
import type { Table } from './table.js'

/** What requests are served with. */
export interface World {
  readonly options: HttpOptions
  readonly table: Table<HttpProxy>
  readonly trusted: TrustedProxies
  readonly pages: Pages
  readonly limits: RequestLimits
  readonly log: Logger
}
