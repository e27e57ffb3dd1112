import type { Address, Admission, Clock, Logger, VisitorInfo } from '@rystra/plugin'
import type { Socket } from 'node:dgram'
import type { OpenCarrier } from './lazy-carrier.js'
import type { UdpLimits } from './limits.js'

/** Options of the visitor side. */
export interface UdpVisitorsOptions {
  /** Bound. The caller closes it. */
  readonly socket: Socket
  /** Its address: the destination of visitors. */
  readonly address: Address
  readonly limits: UdpLimits
  /** Opens the stream to the service side, with the first datagram and again after a loss. */
  readonly open: OpenCarrier
  /** Admits a visitor, and is told of its end. A throw or rejection refuses it. Default: all are admitted. */
  readonly admit?: (visitor: VisitorInfo) => Admission | Promise<Admission>
  readonly clock: Clock
  readonly log: Logger
  /** Whether the native part is used where there is one. @default true */
  readonly native?: boolean | undefined
}
