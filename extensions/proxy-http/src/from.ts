import type { VisitorInfo } from '@rystra/plugin'
import type { Duplex } from 'node:stream'

/** How a visitor came. */
export interface From {
  readonly visitor: VisitorInfo
  readonly secure: boolean
  readonly serverName: string | undefined
}

/** What came with a request besides. */
export interface Besides {
  /** The visitor waits for a 100 before the body. */
  readonly expect?: boolean
  /** The protocol to change to, with what came of it already. */
  readonly upgrade?: { readonly protocol: string; readonly socket: Duplex; readonly head: Buffer }
}
