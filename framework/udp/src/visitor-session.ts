import type { TokenBucket } from '@rystra/limits'
import type { Admission, AdmittedFlow, RystraError } from '@rystra/plugin'
import type { Recent } from './recency.js'

/** An address of visitors, all ports together. */
export interface VisitorHost {
  readonly host: string
  /** By port. */
  readonly sessions: Map<number, VisitorSession>
  /** Rate of its datagrams. */
  bucket: TokenBucket | undefined
  /** Rate of its new sessions. */
  begins: TokenBucket
}

/** A visitor: one address and port. */
export class VisitorSession implements Recent, AdmittedFlow {
  newer: Recent | undefined
  older: Recent | undefined
  state: 'pending' | 'open' | 'refused' | 'closed' = 'open'
  /** The service has answered. */
  answered = false
  /** The visitor has sent a datagram after an answer, so that its address is not spoofed; see RFC 5358. */
  proven = false
  bytesToService = 0
  bytesToVisitor = 0
  admission: Admission | undefined
  /** Datagrams that wait for admission. */
  held: Buffer[] | undefined
  /** Ends it from outside. */
  end: (error: RystraError) => void = () => {}

  constructor(
    readonly id: number,
    readonly of: VisitorHost,
    readonly port: number,
    public seen: number
  ) {}
}
