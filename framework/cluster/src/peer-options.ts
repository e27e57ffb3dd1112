import type { ResolvedCluster } from '@rystra/config'
import type { Generations } from '@rystra/kernel'
import { type Logger, RystraError, type SessionInfo } from '@rystra/model'
import type { Clock, DialOptions, Link, ListenHost, ListenOptions, Muxer, Registries } from '@rystra/plugin'
import { Session, type SessionEvents, type SessionOptions } from '@rystra/session'
import type { Duplex } from 'node:stream'
import { certificateName } from './peer-identity.js'

/** What links between servers are made of. */
export interface PeerOptions {
  readonly config: ResolvedCluster
  /** Random, another one for each process. */
  readonly instance: string
  /** Software and version. */
  readonly agent: string
  readonly generations: Generations
  readonly ports: ListenHost
  readonly clock: Clock
  readonly log: Logger
}

/** Where another server is reached. */
export interface PeerAddress {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** The muxer of links that carry streams by themselves. */
export const NATIVE = 'native'

/** Used where it is registered: one link carries all streams between two servers. */
const USUAL_MUXER = 'yamux'

export const peerMuxers = ({ muxers }: Pick<Registries, 'muxers'>): string[] => {
  const name = muxers.has(USUAL_MUXER) ? USUAL_MUXER : muxers.list()[0]
  return name === undefined ? [] : [name]
}

export const listenOptions = ({ transport, host, port, ca, cert, key }: ResolvedCluster): ListenOptions => ({
  transport,
  host,
  port,
  cert,
  key,
  clientCa: ca,
  clientCert: 'required'
})

export const dialOptions = ({ transport, ca, cert, key }: ResolvedCluster, to: PeerAddress): DialOptions => ({
  transport,
  host: to.host,
  port: to.port,
  ca,
  cert,
  key,
  serverName: certificateName(to.name)
})

/** A link between two servers that both have authenticated. */
export interface AuthenticatedPeer {
  readonly link: Link
  /** The stream of the handshake. */
  readonly stream: Duplex
  readonly muxer: string
  readonly info: SessionInfo
  readonly side: SessionOptions['side']
}

/** Beats in the time of a lease: a link is known to be dead at about the time at which its server is. */
const BEATS = 3

/** Makes a session of it. */
export const peerSession = (
  { link, stream, muxer, info, side }: AuthenticatedPeer,
  { config, generations, clock, log }: PeerOptions,
  events: SessionEvents
): Session => {
  const wrap = (name: string): Muxer => generations.current.registries.muxers.get(name)
  return new Session(
    {
      side,
      info,
      wrap: (links) => (link.kind === 'bytes' ? wrap(muxer).wrap(link, side, { log, links }) : link),
      control: link.kind === 'bytes' ? undefined : stream,
      heartbeat: { interval: config.lease / BEATS, timeout: config.lease },
      clock,
      log
    },
    events
  )
}

/** Beside streams servers send each other heartbeats, and the one that dialed notices. */
export const unexpectedMessage = ({ type }: { readonly type: string }): never => {
  throw new RystraError('protocol.unexpected', { side: 'client', detail: type })
}
