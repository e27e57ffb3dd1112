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
  /** Links that are drained: the session is known there, and takes no calls. */
  readonly #left = new WeakSet<Link>()
  #connecting = false

  constructor(links: Links, endpoint: RpcEndpoint, target: ChannelTarget) {
    this.#links = links
    this.#endpoint = endpoint
    this.#target = target
  }

  /** For streams, which go where calls go: the session is known there. */
  opener({ connected }: ProgramSession): ChannelOpener | undefined {
    const link = (connected ? this.#at : undefined) ?? this.#links.last
    return link && openerOf(link.channels)
  }

  /** Opens the channel of calls where it is needed and there is a link for it. */
  connect(session: ProgramSession): void {
    if (this.#connecting || session.closed || (session.connected && !session.movable)) return
    const moves = session.connected
    const link = this.#links.newest((each) => !this.#left.has(each) && !(moves && each === this.#at))
    if (link === undefined) return
    this.#connecting = true
    this.#endpoint
      .connect(session, this.#noting(session, link), this.#target)
      .catch((error) => {
        // The link is gone, and the session will be told: calls wait for the next one.
        if (isRystraError(error) && error.code === 'mux.closed') return
        session.unavailable(rpcError('rpc.unavailable', (error as Error).message, error))
      })
      .finally(() => {
        this.#connecting = false
      })
  }

  #noting(session: ProgramSession, link: Link): ChannelOpener {
    return {
      open: async (head) => {
        const channel = await openerOf(link.channels).open(head)
        if (session.connected && this.#at !== undefined) this.#left.add(this.#at)
        this.#at = link
        return channel
      }
    }
  }
}
