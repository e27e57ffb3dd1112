import { type Logger, RystraError } from '@rystra/plugin'
import type { HostedLink } from './link-host.js'

/**
 * Works for a link. An exception ends that link and no other: UDP has no connection that the process could tell it by, see
 * ADR 27.
 */
export const contain = (link: Pick<HostedLink, 'where' | 'destroy'>, log: Logger, work: () => void): void => {
  try {
    work()
  } catch (error) {
    log.error({ err: error, peer: link.where }, 'quic: an exception ended a link')
    try {
      link.destroy(new RystraError('internal', { cause: error }))
    } catch (further) {
      log.error({ err: further, peer: link.where }, 'quic: a further exception while the link ended')
    }
  }
}
