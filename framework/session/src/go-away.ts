import type { Address } from '@rystra/model'
import type { GoAway } from '@rystra/protocol'

/** What a GoAway says beside its error. */
export interface GoAwayNotice {
  /** Milliseconds until the other side closes the session. */
  readonly drain: number
  /**
   * Servers that a client may go to, the preferred ones first. Where it is there, even if it is empty, the server keeps the
   * proxies of the session published until the client has left, or `drain` is over.
   */
  readonly alternatives?: readonly Address[]
}

export const noticeOf = ({ drain, alternatives }: GoAway): GoAwayNotice => ({
  drain,
  ...(alternatives === undefined ? {} : { alternatives: alternatives.map(([host, port]) => ({ host, port })) })
})
