import type { Logger } from '@rystra/model'
import type { DataLinks, StreamLink } from '@rystra/plugin'
import type { Duplex } from 'node:stream'
import type { SessionProof } from './session-review.js'

/** The link of a session. */
export interface ServerLink {
  /** Makes streams of it. */
  readonly wrap: (links: DataLinks, log: Logger) => StreamLink
  /** The stream that authenticated it, where it carries streams by itself. */
  readonly control: Duplex | undefined
  /** How its client was authenticated. */
  readonly proof: SessionProof
  /** What both ends can beyond the minor version. */
  readonly features: readonly string[]
  /** Called when its client says that another session of it takes its place. */
  readonly moves: () => void
  /** Called once, first of all, when the session is over. */
  readonly ended: () => void
}
