import type { TokenBucket } from '@rystra/limits'
import type { Admission } from '@rystra/plugin'
import type { Recent } from './recency.js'

/** One address that visitors come from, whatever the port. */
export interface VisitorHost {
  readonly host: string
  /** By port. */
  readonly sessions: Map<number, VisitorSession>
  /** Datagrams it may send. */
  readonly bucket: TokenBucket | undefined
  /** Sessions it may begin. */
  readonly begins: TokenBucket
}

/** One address and port that datagrams come from. */
export class VisitorSession implements Recent {
  newer: Recent | undefined
  older: Recent | undefined
  state: 'asking' | 'open' | 'refused' | 'over' = 'open'
  /** The service has answered. */
  answered = false
  /** The visitor has sent something after an answer: its address is its own, RFC 5358 has why that matters. */
  proven = false
  bytesToService = 0
  bytesToVisitor = 0
  admission: Admission | undefined
  /** What came while it was asked whether the visitor may come. */
  held: Buffer[] | undefined
  /** Milliseconds until which nothing may pass, if something slows it down. */
  notToService = 0
  notToVisitor = 0

  constructor(
    readonly id: number,
    readonly of: VisitorHost,
    readonly port: number,
    public seen: number
  ) {}
}
