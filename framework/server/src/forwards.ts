import type { RawStream } from '@rystra/bytes'
import { type Forward, specHash } from '@rystra/cluster'
import { type Logger, type ProxySpec, RystraError, type VisitorInfo } from '@rystra/model'
import type { Clock } from '@rystra/plugin'
import { type DatagramFlows, refuseStream, type StreamLifecycle } from '@rystra/session'
import { relayOpened } from './relay-opened.js'
import type { ProxyStreamOptions } from './visitable.js'

/** A proxy of this server. */
export interface ForwardedProxy {
  readonly spec: ProxySpec
  open(visitor: VisitorInfo, options: ProxyStreamOptions): Promise<StreamLifecycle>
}

/** Its session. */
export interface ForwardedSession {
  /** Those of a name that other servers may know. */
  listed(name: string): readonly ForwardedProxy[]
}

/** The hash of each spec: it is computed once. */
const hashes = new WeakMap<ProxySpec, string>()

const hashOf = (spec: ProxySpec): string => {
  const hash = hashes.get(spec) ?? specHash(spec)
  hashes.set(spec, hash)
  return hash
}

/** The proxy that a forwarded stream names. Throws `cluster.not-here`. */
const proxyOf = (session: ForwardedSession | undefined, { proxy: name, spec }: Forward): ForwardedProxy => {
  const proxy = session?.listed(name).find((one) => hashOf(one.spec) === spec)
  if (proxy !== undefined) return proxy
  throw new RystraError('cluster.not-here', { side: 'server', detail: name })
}

/** A stream that another server passes on. */
export interface ForwardedStream {
  readonly raw: RawStream
  readonly forward: Forward
  readonly flows: DatagramFlows | undefined
  readonly log: Logger
}

/**
 * Serves a stream of a visitor that came in at another server: within the limits of its session and its proxy, and without
 * the hooks, which were asked there.
 */
export const serveForward = async (
  { raw, forward, flows, log }: ForwardedStream,
  session: ForwardedSession | undefined,
  clock: Clock
): Promise<void> => {
  const { visitor, details, flow, carrier, timeout, trace } = forward
  try {
    const proxy = proxyOf(session, forward)
    await relayOpened(raw, { number: flow, flows }, (datagrams) =>
      proxy.open(visitor, { details, datagrams, carrier, forwarded: true, follows: raw, timeout, trace })
    )
  } catch (error) {
    log.debug({ err: error, visitor: visitor.host }, 'a stream of another server was refused')
    refuseStream(raw, error, clock)
  }
}
