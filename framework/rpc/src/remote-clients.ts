import { isMoved, RystraError, type SessionInfo, toRystraError } from '@rystra/model'
import type { Channel, RuntimeCluster } from '@rystra/plugin'
import { setTimeout as pause } from 'node:timers/promises'
import { openerOf, peerOf } from './channel-head.js'
import { rpcError } from './error.js'
import type { Link } from './links.js'
import type { RpcEndpoint } from './session/endpoint.js'
import type { ChannelHead, ChannelOpener, RpcChannel } from './session/port.js'
import type { ProgramSession } from './session/session.js'

/** Milliseconds that calls wait for a client which moves to another server. */
const FOLLOW_TIMEOUT_MS = 3000

/** Milliseconds before the directory is asked again where it is. */
const AGAIN_MS = 50

/** Resolves when the other end has accepted a channel. Rejects with why it has not: no byte was looked at then. */
const accepted = ({ stream, accepted: ready }: RpcChannel): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.onClose = (error) => reject(error ?? new RystraError('stream.reset'))
    ready.then(resolve, reject)
  })

/** Sessions of a server with clients of the other servers of its cluster. This server opens them, as their clients know another. */
export class RemoteClients {
  readonly #endpoint: RpcEndpoint
  /** By the session of the tunnel. */
  readonly #sessions = new Map<string, ProgramSession>()

  readonly #find: (client: SessionInfo) => Link | undefined

  /** @param find the newest session of the client of a session */
  constructor(endpoint: RpcEndpoint, find: (client: SessionInfo) => Link | undefined) {
    this.#endpoint = endpoint
    this.#find = find
  }

  /** The session with a client; calls wait until it is open. It ends with its channel. */
  session(link: Link, { name }: Pick<RuntimeCluster, 'name'>): ProgramSession {
    const { info, channels } = link
    const found = this.#sessions.get(info.id)
    if (found !== undefined) return found
    const open = ({ channels: to }: Link): ChannelOpener => openerOf(to, { from: { server: name } })
    let opener = open(link)
    const session = this.#endpoint.create(peerOf(info), () => opener, false, { report: () => channels.reportCall })
    const take = (at: Link): void => {
      opener = open(at)
      this.#sessions.set(at.info.id, session)
      session.on('close', () => this.#sessions.delete(at.info.id))
    }
    take(link)
    this.#connect(session, link, () => opener, take).catch((error: Error) => {
      session.unavailable(rpcError('rpc.unavailable', error.message, error))
      session.close()
    })
    return session
  }

  /** Opens the channel of the calls; where the client has moved to another server meanwhile, there. */
  async #connect(
    session: ProgramSession,
    first: Link,
    opener: () => ChannelOpener,
    take: (at: Link) => void
  ): Promise<void> {
    const until = performance.now() + FOLLOW_TIMEOUT_MS
    const tried = new Set<string>()
    for (let link = first; !session.closed; take(link)) {
      tried.add(link.info.id)
      try {
        const channel = await opener().open({ kind: 'calls', session: session.id })
        await accepted(channel)
        if (session.closed) channel.stream.reset()
        else session.attach(channel)
        return
      } catch (error) {
        const next = isMoved(toRystraError(error).code) ? await this.#moved(link, tried, until) : undefined
        if (next === undefined) throw error
        link = next
      }
    }
  }

  /** The session of a client at another server than before; `undefined` when it does not come, or comes to this one. */
  async #moved({ info }: Link, tried: ReadonlySet<string>, until: number): Promise<Link | undefined> {
    while (performance.now() < until) {
      const link = this.#find(info)
      if (link !== undefined && !tried.has(link.info.id)) return link.member === undefined ? undefined : link
      await pause(AGAIN_MS, undefined, { ref: false })
    }
    return undefined
  }

  /** Takes a stream that a client has opened in such a session. `false`: it is of no such session. */
  accept({ kind, session: id }: ChannelHead, channel: Channel, { id: tunnel }: SessionInfo): boolean {
    const session = this.#sessions.get(tunnel)
    if (kind !== 'stream' || session?.id !== id) return false
    session.acceptStream(channel)
    return true
  }

  /** Refuses a channel of a session of another server that is of no session here. */
  refuse(channel: Channel): void {
    channel.close(new RystraError('channel.refused', { detail: 'a stream of no session' }))
    channel.stream.reset()
  }

  close(): void {
    for (const session of [...this.#sessions.values()]) session.close()
  }
}
