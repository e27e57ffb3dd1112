import type { CertificatePair } from '@rystra/plugin'
import type { ChallengeType } from './options.js'

/** One order. */
export interface Order {
  readonly host: string
  /** How the authority is to check the host. */
  readonly challenge: ChallengeType
  /** Gives up. */
  readonly signal: AbortSignal
}

/** Where certificates come from. */
export interface Authority {
  /** Orders a certificate for one host. Rejects with an `OrderFailure`, or with `extension.state`. */
  issue(order: Order): Promise<CertificatePair>
  close(): void
}
