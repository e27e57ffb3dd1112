import type { ForwardTo } from '@rystra/cluster'
import type { Logger, SessionInfo } from '@rystra/model'
import type { Details } from '@rystra/plugin'
import {
  type OpenOptions,
  type OutgoingStream,
  type StreamHead,
  StreamTable,
  type TrafficTotals
} from '@rystra/session'
import type { ProxyOwner } from './owner.js'

/** The links to other servers. */
export interface Forwarding {
  open(to: ForwardTo, head: StreamHead, options?: OpenOptions): Promise<OutgoingStream>
  probe(member: string, session: string, ms: number): Promise<boolean>
  tell(to: ForwardTo, proxy: string, notice: Details): void
}

/** What a {@link RemoteOwner} is made of. */
export interface RemoteOwnerParts {
  readonly info: SessionInfo
  readonly to: ForwardTo
  readonly forwarding: Forwarding
  readonly totals: TrafficTotals
  readonly log: Logger
  /** It does not answer: it is not published here until it is heard of again. */
  suspend(): Promise<void>
}

/** A session of another server, as the owner of one of its proxies. */
export class RemoteOwner implements ProxyOwner {
  readonly info: SessionInfo
  readonly log: Logger
  readonly streams: StreamTable
  readonly #parts: RemoteOwnerParts

  constructor(parts: RemoteOwnerParts) {
    const { info, log, totals, to } = parts
    this.info = info
    this.log = log.child({ session: info.id, client: info.client.id, identity: info.identity.id, peer: to.member })
    this.streams = new StreamTable(totals)
    this.#parts = parts
  }

  open(head: StreamHead, options?: OpenOptions): Promise<OutgoingStream> {
    return this.#parts.forwarding.open(this.#parts.to, head, options)
  }

  probe(ms: number): Promise<boolean> {
    const { forwarding, to } = this.#parts
    return forwarding.probe(to.member, to.session, ms)
  }

  /** Its session is the other server's to end. */
  evict(): Promise<void> {
    return this.#parts.suspend()
  }

  takeBack(): void {
    this.#parts
      .suspend()
      .catch((err: unknown) => this.log.warn({ err }, 'a proxy of another server could not be withdrawn'))
  }

  tell(proxy: string, notice: Details): void {
    this.#parts.forwarding.tell(this.#parts.to, proxy, notice)
  }
}
