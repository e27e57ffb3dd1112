import type { ProxySpec, RystraError, SessionInfo } from '@rystra/model'
import type { ProxyHandle, ProxyInfo, ProxyState, TrafficStats } from '@rystra/plugin'
import { Backoff, StreamTable } from '@rystra/session'
import { randomBytes } from 'node:crypto'
import type { PushOrigin, PushSession, RegisteredProxy } from './push-session.js'

/** The client that a proxy is for. */
export interface PushOwner {
  readonly identity: string
  readonly client: string
}

export const ownerOf = ({ identity, client }: SessionInfo): PushOwner => ({ identity: identity.id, client: client.id })

/** What is known of a pushed proxy over restarts. */
export interface PushRecord {
  readonly owner: PushOwner
  readonly spec: ProxySpec
  /** Which administrator added it. */
  readonly by: string | undefined
  /** Whether it outlasts the session. */
  readonly persist: boolean
  /** Milliseconds since the epoch; absent when it does not expire. */
  readonly expiresAt: number | undefined
}

/** Those of all clients. */
interface PushList {
  remove(pushed: PushedProxy): Promise<void>
  drop(pushed: PushedProxy): void
}

/** Where a push stands, while nothing of it is published. */
type Standing =
  | { readonly at: 'idle' | 'publishing' }
  | { readonly at: 'waiting'; readonly error: RystraError; readonly cancel: () => void }
  | { readonly at: 'refused'; readonly error: RystraError }

/** One proxy that an administrator has added for a client, over all sessions of that. */
export class PushedProxy implements ProxyHandle, PushOrigin {
  readonly record: PushRecord
  /** While nothing of it is published. */
  readonly id: string
  readonly backoff = new Backoff({ min: 1000, max: 30_000 })
  /** The session of its client that is up. */
  session: PushSession | undefined
  /** It is not wanted any more. */
  removed = false
  readonly #list: PushList
  #standing: Standing = { at: 'idle' }

  /** @param list The one that it is on */
  constructor(record: PushRecord, list: PushList) {
    this.record = record
    this.id = `${randomBytes(9).toString('base64url')}.${record.spec.name}`
    this.#list = list
  }

  /** In the words of `ProxyInfo`. */
  get origin(): Pick<ProxyInfo, 'origin' | 'by'> {
    const { by } = this.record
    return { origin: 'server', ...(by === undefined ? {} : { by }) }
  }

  /** What the client has registered for it: several of a range. */
  get proxies(): readonly RegisteredProxy[] {
    return [...(this.session?.proxies.values() ?? [])].filter(({ pushed }) => pushed === this)
  }

  get state(): ProxyState {
    return this.#standing.at
  }

  get info(): ProxyInfo {
    const { owner, spec } = this.record
    const session = this.session?.info
    return {
      spec,
      state: this.state,
      ...(session === undefined ? {} : { session }),
      healthy: true,
      ...('error' in this.#standing ? { error: this.#standing.error } : {}),
      owner,
      ...this.origin
    }
  }

  stats(): TrafficStats {
    return new StreamTable().stats()
  }

  remove(): Promise<void> {
    return this.#list.remove(this)
  }

  close(): void {
    this.#list.drop(this)
  }

  /** A state ends the one before. */
  stand(standing: Standing): void {
    if (this.#standing.at === 'waiting') this.#standing.cancel()
    this.#standing = standing
  }
}
