import type { VisitorInfo } from '@rystra/model'
import type { OpenedStream, OpenStreamOptions } from '@rystra/plugin'
import { openDuplex, type StreamLifecycle } from '@rystra/session'
import { followClient, type MovingProxy } from './follow-client.js'
import type { ProxyLimits } from './proxy-limits.js'
import { openFollowing, openProxyStream, proxyStream, type StreamProxy } from './proxy-stream.js'
import type { ServerState } from './state.js'
import type { ProxyStreamOptions } from './visitable.js'

/** A proxy that streams are opened to. */
export interface OpeningProxy extends StreamProxy, MovingProxy {
  readonly limits: ProxyLimits
  /** Present when another server serves it. */
  readonly remote?: object | undefined
}

/** Waits for what the servers of a cluster share of the limits, where they do, and opens with whether they are exhausted. */
const withinLimits = async <Opened>(
  { limits }: OpeningProxy,
  open: (full: boolean) => Promise<Opened>
): Promise<Opened> => {
  const allotted = limits.ask()
  if (allotted !== undefined) await allotted
  return open(limits.exhausted)
}

/** Opens a stream within the limits of a proxy. */
export const openVisitor = (
  proxy: OpeningProxy,
  state: ServerState,
  visitor: VisitorInfo,
  options: ProxyStreamOptions
): Promise<StreamLifecycle> =>
  withinLimits(proxy, (full) => openFollowing(proxyStream(proxy, state, visitor, options), proxy, full, options))

/** The same for a kind that does not relay byte by byte. */
export const openVisitorStream = (
  proxy: OpeningProxy,
  state: ServerState,
  visitor: VisitorInfo,
  options: OpenStreamOptions
): Promise<OpenedStream> =>
  withinLimits(proxy, (full) => {
    const stream = proxyStream(proxy, state, visitor, options)
    return openDuplex(stream, () => openProxyStream(stream, proxy, full, options), options.signal)
  })

/** Opens it where the client of the proxy is, see {@link followClient}. */
export const openWhereClientIs = <Opened>(
  proxy: OpeningProxy,
  { cluster }: ServerState,
  { timeout, signal, follows }: Pick<ProxyStreamOptions, 'timeout' | 'signal' | 'follows'>,
  open: (proxy: MovingProxy) => Promise<Opened>
): Promise<Opened> => {
  if (proxy.remote === undefined || cluster === undefined) return open(proxy)
  return followClient<MovingProxy, Opened>(
    proxy,
    cluster,
    { several: timeout !== undefined, visitor: follows, signal },
    open
  )
}
