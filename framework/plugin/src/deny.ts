import type { ErrorCode } from '@rystra/model'

/** Refuses what the hook is about. The reason crosses the wire, except in `onHello` and `onAuth`, where only the log has it. */
export interface Deny {
  readonly deny: string
  /**
   * Seconds after which it may be tried again. Makes it a limit instead of a refusal: `session.limit` in `onHello`, which
   * clients try again by themselves, `stream.limit` in `onOpenStream`, and for HTTP 429 with `Retry-After` instead of 403.
   */
  readonly retryAfter?: number
  /**
   * In `onOpenStream`: a visit of another client is answered as if nothing could be visited, with
   * `stream.no-visits`. @default false
   */
  readonly hidden?: boolean
  /**
   * In `onRegisterProxy` and `onOpenStream`: the error code of the refusal, of the table or of an extension. With
   * `proxy.claimed` and `proxy.port-taken` the client gets the same error as when another client has the host, name or
   * port; the reason is in the log only. @default 'proxy.refused', 'stream.refused'
   */
  readonly code?: ErrorCode
}
