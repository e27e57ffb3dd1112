import type { ResolvedClient } from '@rystra/config'
import type { Kernel } from '@rystra/kernel'
import type { Logger, ProxySpec } from '@rystra/model'
import type { Clock, ProxyHandle, RefusedContext } from '@rystra/plugin'
import type { StreamTable, TrafficTotals } from '@rystra/session'
import type { PublishedHere, RefusedHere } from './events.js'
import type { ClientFeed } from './feed.js'
import { Resume } from './resume.js'
import type { ServiceSockets } from './service-sockets.js'
import type { StreamHandler } from './stream-handler.js'

/** A proxy of this client, as its streams need it. */
export interface ServedProxy {
  readonly spec: ProxySpec
  /** The service, if it is within this process. */
  readonly handler: StreamHandler | undefined
  /** Whether the server has added it: its service must match `client.accept`. */
  readonly pushed: boolean
  readonly streams: StreamTable
}

/** A proxy that visitors can reach. */
export type PublishedProxy = ProxyHandle & { readonly published: readonly PublishedHere[] }

/** The proxies of this client. */
export interface ServedProxies {
  find(name: string): ServedProxy | undefined
  /** Those that visitors can reach now. */
  published(): readonly PublishedProxy[]
}

/** What the parts of one client share. */
export interface ClientState {
  /** Another after a reload. */
  config: ResolvedClient
  readonly kernel: Kernel
  readonly clock: Clock
  readonly log: Logger
  readonly events: ClientFeed
  /** Of all sessions, those that are over included. */
  readonly totals: TrafficTotals
  /** Tells hooks and listeners. */
  readonly refused: (refused: RefusedHere, more: Omit<RefusedContext, 'what' | 'side' | 'error'>) => void
  /** For a stream that this client opens, unique within it: the server's have no such letter in front. */
  readonly nextStreamId: () => string
  readonly proxies: ServedProxies
  readonly serviceSockets: ServiceSockets
  readonly resume: Resume
}

/** What a new client shares. */
export const stateOf = (
  config: ResolvedClient,
  kernel: Kernel,
  log: Logger,
  events: ClientFeed,
  totals: TrafficTotals,
  proxies: ServedProxies,
  serviceSockets: ServiceSockets
): ClientState => {
  let streams = 0
  return {
    config,
    kernel,
    clock: kernel.clock,
    log,
    events,
    totals,
    proxies,
    serviceSockets,
    resume: new Resume(),
    refused: (refused, more) => {
      const { what, error } = refused
      kernel.current.calls.refused({ what, side: 'client', error, ...more })
      events.refused({ what, error, ...more })
      events.emit('refused', refused)
    },
    nextStreamId: () => {
      streams += 1
      return `v.${streams.toString(36)}`
    }
  }
}
