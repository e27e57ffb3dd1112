import type { VisitorInfo } from '@rystra/plugin'
import { sessionInfo } from '../session-info.js'

/** A stand-in for the session. */
export const session = sessionInfo({ id: 'kit', peer: { address: '127.0.0.1', port: 1 } })

/** A visitor whose stream was given to the kind, as the framework would. */
export interface Visit {
  readonly info: VisitorInfo
  /** How `reach` ended; `undefined` while it has not. */
  outcome: 'reached' | Error | undefined
  /** Says to the client's half that the visitor is gone. */
  readonly signal: AbortSignal
}

/** Called when the service of a stream is reached, or not. */
export interface ReachObserver {
  reached(): void
  failed(error: Error): void
}

/** A visitor that was admitted without a stream of its own. */
export interface ServedVisitor {
  readonly visitor: VisitorInfo
  /** Bytes, once it is gone. */
  over: { readonly toService: number; readonly toVisitor: number } | undefined
}
