import { isRystraError } from '@rystra/model'
import { openerOf } from './channel-head.js'
import { rpcError } from './error.js'
import type { Link, Links } from './links.js'
import type { RpcEndpoint } from './session/endpoint.js'
import type { ChannelOpener, ChannelTarget } from './session/port.js'
import type { ProgramSession } from './session/session.js'

/** Over which link the calls of one session go: the newest, and another one as soon as that is drained. */
export class CallRoute {
  readonly #links: Links
  readonly #endpoint: RpcEndpoint
  readonly #target: ChannelTarget
  /** That of the present connection. */
  #at: Link | undefined
  #connecting = false

  constructor(links: Links, endpoint: RpcEndpoint, target: ChannelTarget) {
    this.#links = links
    this.#endpoint = endpoint
    this.#target = target
  }

  /** For streams, which go where calls go: the session is known there. */
  opener({ connected }: ProgramSession): ChannelOpener | undefined {
    const link = connected ? (this.#at ?? this.#links.last) : this.#links.last
    return link && openerOf(link.channels)
  }

  /** Opens the channel of calls where it is needed and there is a link for it. */
  connect(session: ProgramSession): void {
    if (this.#connecting || session.closed || (session.connected && !session.movable)) return
    const link = session.connected ? this.#links.otherThan(this.#at) : this.#links.last
    if (link === undefined) return
    this.#connecting = true
    this.#endpoint
      .connect(session, this.#noting(link), this.#target)
      .catch((error) => {
        // The link is gone, and the session will be told: calls wait for the next one.
        if (isRystraError(error) && error.code === 'mux.closed') return
        session.unavailable(rpcError('rpc.unavailable', (error as Error).message, error))
      })
      .finally(() => {
        this.#connecting = false
      })
  }

  #noting(link: Link): ChannelOpener {
    return {
      open: async (head) => {
        const channel = await openerOf(link.channels).open(head)
        this.#at = link
        return channel
      }
    }
  }
}
