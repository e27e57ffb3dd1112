import type { CallRecord } from '../middleware/middleware.js'
import type { Router } from '../router/router.js'
import type { IncomingCall, RpcSession } from './rpc-session.js'

/** A session, as its parts need it. */
export interface SessionHost extends RpcSession {
  /** Whether there will be another connection when this one is lost. */
  readonly reconnects: boolean
  readonly router: Router
  /** There should be a connection. */
  wanted(): void
  /** Resolves when the other side knows this session, or will not: a later stream may overtake its first. */
  established(): Promise<void>
  /** A call is over, or was refused. */
  observe(
    kind: CallRecord['kind'],
    direction: CallRecord['direction'],
    name: string,
    since: number,
    code: string,
    call?: IncomingCall
  ): void
}
