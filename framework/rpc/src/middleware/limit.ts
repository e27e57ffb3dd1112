import { pattern } from '@rystra/address'
import { TokenBucket } from '@rystra/limits'
import { RpcError } from '../error.js'
import type { IncomingCall, RpcSession } from '../session/rpc-session.js'
import type { Middleware } from './middleware.js'

/** What a peer may do. Each is for one session, and with `name` for the names that match it. */
export interface LimitOptions {
  /** Pattern of the names that it is about. @default '*' */
  readonly name?: string
  /** Requests a second. @default unlimited */
  readonly calls?: number
  /** Events a second. @default unlimited */
  readonly events?: number
  /** Bytes of bodies a second. @default unlimited */
  readonly bytes?: number
  /** Requests that are not answered. @default unlimited */
  readonly atOnce?: number
}

/** What one session has used. */
interface Usage {
  readonly calls: TokenBucket | undefined
  readonly events: TokenBucket | undefined
  readonly bytes: TokenBucket | undefined
  readonly running: Set<IncomingCall>
}

/** Milliseconds after which a peer with too many calls at once may ask again. */
const RETRY_MS = 100

const bucket = (rate: number | undefined, now: number): TokenBucket | undefined =>
  rate === undefined ? undefined : new TokenBucket(rate, rate, now)

/** Refuses what is too much with `rpc.busy` and a time to try again; events are dropped. Nothing is queued. */
export const limit = (options: LimitOptions): Middleware => {
  const { name: names = '*', calls, events, bytes, atOnce = Number.POSITIVE_INFINITY } = options
  const concerns = pattern(names)
  const usages = new WeakMap<RpcSession, Usage>()
  const usageOf = (session: RpcSession, now: number): Usage => {
    const found = usages.get(session)
    if (found !== undefined) return found
    const made = {
      calls: bucket(calls, now),
      events: bucket(events, now),
      bytes: bucket(bytes, now),
      running: new Set<IncomingCall>()
    }
    usages.set(session, made)
    return made
  }
  const take = (tokens: TokenBucket | undefined, count: number, now: number): void => {
    if (tokens === undefined || tokens.take(Math.min(count, bytes ?? count), now)) return
    throw new RpcError('rpc.busy', { retryAfter: Math.max(1, tokens.wait(count, now)) })
  }
  return {
    name: 'limit',
    inbound: ({ kind, name, bytes: size, call }, session) => {
      if (kind === 'response' || kind === 'error' || !concerns(name)) return
      const now = performance.now()
      const usage = usageOf(session, now)
      if (kind === 'request') {
        if (usage.running.size >= atOnce) throw new RpcError('rpc.busy', { retryAfter: RETRY_MS })
        take(usage.calls, 1, now)
      } else if (kind === 'event') take(usage.events, 1, now)
      take(usage.bytes, size, now)
      if (kind === 'request' && call !== undefined) usage.running.add(call)
    },
    onCall: ({ call, session }) => {
      if (call !== undefined) usages.get(session)?.running.delete(call)
    }
  }
}
