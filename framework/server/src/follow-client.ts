import type { RawStream } from '@rystra/bytes'
import { isMoved, type ProxySpec, type SessionInfo, toRystraError, type VisitorInfo } from '@rystra/model'
import type { OpenedStream, OpenStreamOptions } from '@rystra/plugin'
import type { StreamLifecycle } from '@rystra/session'
import type { ProxyStreamOptions } from './visitable.js'

/** Attempts after the first one. */
const MAX_MOVES = 3

/** A proxy as the cluster looks for the one that took its place. */
export interface FollowedProxy {
  readonly session: SessionInfo
  readonly spec: ProxySpec
}

/** One that streams can be opened to. */
export interface MovingProxy extends FollowedProxy {
  /** Opens a stream at this place of the client, and waits for its service. */
  openHere(visitor: VisitorInfo, options: ProxyStreamOptions): Promise<StreamLifecycle>
  /** The same for a kind that does not relay byte by byte. */
  openStreamHere(visitor: VisitorInfo, options: OpenStreamOptions): Promise<OpenedStream>
}

/** Where the proxies of a client that has moved are. */
export interface Moves<Proxy> {
  /** Milliseconds in all that a visitor waits for a client: it has dialed another server by then, or is away. */
  readonly followTimeout: number
  /**
   * The proxy of the same name and client that is published now, and is not one of `tried`; waits for it for up to `ms`
   * milliseconds.
   */
  successor(of: FollowedProxy, tried: ReadonlySet<Proxy>, ms: number): Promise<Proxy | undefined>
}

/** How a stream follows its client. */
export interface FollowOptions {
  /** Another member of the group may serve the visitor instead: it does not wait for this client. */
  readonly several: boolean
  /** The visitor; one that has left is not served. */
  readonly visitor: Pick<RawStream, 'closed'> | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * Opens a stream to a proxy of another server. Where its client has moved meanwhile, opens it there: before the first byte of
 * the visitor, so that none is sent twice.
 */
export const followClient = async <Proxy extends FollowedProxy, Opened>(
  first: Proxy,
  moves: Moves<Proxy>,
  { several, visitor, signal }: FollowOptions,
  open: (proxy: Proxy) => Promise<Opened>
): Promise<Opened> => {
  const until = performance.now() + (several ? 0 : moves.followTimeout)
  const tried = new Set([first])
  for (let proxy = first; ; ) {
    try {
      return await open(proxy)
    } catch (error) {
      const isLast = tried.size > MAX_MOVES || !isMoved(toRystraError(error).code)
      const left = Math.max(0, until - performance.now())
      const next = isLast ? undefined : await moves.successor(first, tried, left)
      if (next === undefined || visitor?.closed === true || signal?.aborted === true) throw error
      tried.add(next)
      proxy = next
    }
  }
}
