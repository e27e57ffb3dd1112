import { peerText } from '@rystra/address'
import type { Client } from '@rystra/client'
import type { RystraError, SessionInfo, StreamInfo } from '@rystra/model'
import type { CloseStreamContext, UnregisterProxyContext } from '@rystra/plugin'
import type { Server } from '@rystra/server'
import { formatAddress } from '../address.js'
import { type Feed, formatBytes, formatDuration } from './feed.js'
import { feedRequests } from './request-log.js'
import { serverOf } from './server-name.js'

/** Why a proxy is no longer published, for people. */
const removals: ReadonlyMap<UnregisterProxyContext['reason'], string> = new Map([
  ['asked', 'removed by its client'],
  ['session', 'the session of its client ended'],
  ['closed', 'removed by the server'],
  ['expired', 'it has expired'],
  ['taken-over', 'taken over by another session'],
  ['reload', 'the configuration no longer allows it'],
  ['shutdown', 'the server stops']
])

const peerOf = ({ peer }: SessionInfo): string => peerText(peer)

const errorOf = (error: RystraError | undefined): object =>
  error === undefined ? {} : { code: error.code, message: error.message, retryable: error.retryable }

const streamOf = ({ id, proxy, visitor, session }: StreamInfo): object => ({
  stream: id,
  name: proxy.name,
  visitor: formatAddress(visitor),
  session: session.id
})

const opened = (feed: Feed, stream: StreamInfo, shown = true): void => {
  const text = `${stream.proxy.name}  ${formatAddress(stream.visitor)}  connected`
  feed.detail('streamOpen', streamOf(stream), shown && feed.streams ? text : undefined)
}

const closed = (feed: Feed, stream: CloseStreamContext, shown = true): void => {
  const { bytesToService, bytesToVisitor, duration, reason, error } = stream
  const how = error === undefined ? (reason === 'end' ? '' : `, ${reason}`) : `, ${reason}: ${error.message}`
  feed.detail(
    'streamClose',
    { ...streamOf(stream), bytesToService, bytesToVisitor, duration, reason, ...errorOf(error) },
    shown && feed.streams
      ? `${stream.proxy.name}  ${formatAddress(stream.visitor)}  closed  ${formatBytes(bytesToService)} in, ` +
          `${formatBytes(bytesToVisitor)} out, ${formatDuration(duration)}${how}`
      : undefined
  )
}

/** Tells everything that a server tells, but where it listens. */
export const feedServer = (feed: Feed, server: Server): void => {
  server.on('connected', (session) => {
    const { id, identity, client, transport, muxer } = session
    const peer = peerOf(session)
    feed.detail(
      'connected',
      { client: client.id, identity: identity.id, peer, transport, muxer, session: id },
      `client ${client.id} connected from ${peer}`
    )
  })
  server.on('disconnected', (session, error) => {
    const { id, identity, client } = session
    const why = error === undefined ? '' : `: ${error.message}`
    const fields = { client: client.id, identity: identity.id, session: id, ...errorOf(error) }
    feed.detail('disconnected', fields, `client ${client.id} disconnected${why}`)
  })
  server.on('published', ({ spec: { name, kind }, address, session }) => {
    feed.detail(
      'published',
      { name, kind, address, client: session.client.id, session: session.id },
      `client ${session.client.id} published ${name} (${kind}) on ${address}`
    )
  })
  server.on('unpublished', ({ spec: { name, kind }, address, session }, reason) => {
    feed.detail(
      'unpublished',
      { name, kind, address, reason, client: session.client.id, session: session.id },
      `${name} is no longer published on ${address}: ${removals.get(reason)}`
    )
  })
  server.on('refused', ({ what, subject, error, session }) => {
    const of = session === undefined ? {} : { client: session.client.id, session: session.id }
    feed.detail(
      'refused',
      { what, subject, ...of, ...errorOf(error) },
      `refused a ${what} of ${subject}: ${error.message}`
    )
  })
  server.on('streamOpen', (stream) => opened(feed, stream))
  server.on('streamClose', (stream) => closed(feed, stream))
}

/** What is told of a client. */
export interface ClientFeed {
  /** Its servers, as they are configured. */
  readonly server: string
  /** Whether a proxy that is refused ends the command now, with the error as its last word. */
  readonly ends: () => boolean
}

/** What to do about a service that does not answer, with its address as this end knows it. */
const serviceHint = (client: Client, name: string): string => {
  const { local } = (client.proxies.find((proxy) => proxy.name === name)?.spec ?? {}) as { local?: unknown }
  return local === undefined ? '' : `  next: start the service on ${String(local)}, or name another address`
}

/** Tells everything that a client tells. */
export const feedClient = (feed: Feed, client: Client, { server: serverName, ends }: ClientFeed): void => {
  const unreachable = new Set<string>()
  client.on('connected', (session) => {
    const { id, identity, transport, muxer } = session
    const server = serverOf(session)
    feed.event('connected', { server, identity: identity.id, transport, muxer, session: id })
    feed.logged(`connected to ${server}`)
  })
  client.on('disconnected', (session, error) => {
    feed.event('disconnected', { server: serverOf(session), session: session.id, ...errorOf(error) })
  })
  client.on('reconnecting', ({ attempt, delay, error, sessions, notable }) => {
    feed.event('reconnecting', { server: serverName, attempt, delay, sessions, ...errorOf(error) })
    // With another session up nothing is amiss for visitors.
    if (sessions > 0) return
    const tried = attempt > 1 ? `attempt ${attempt}, ` : ''
    if (notable) feed.logged(`${error.message}; ${tried}trying again in ${formatDuration(delay)} (Ctrl-C gives up)`)
    // Once for each loss, and not for one that the first attempt overcomes.
    if (attempt === 2) feed.logged(`  next: ${error.hint}`)
  })
  client.on('published', ({ name, kind, address, spec, session }) => {
    const { local } = spec as { local?: unknown }
    const to = local === undefined ? name : String(local)
    feed.event(
      'published',
      { name, kind, address, server: serverOf(session), ...(local === undefined ? {} : { local: to }) },
      `${address} → ${to}`
    )
  })
  client.on('unpublished', ({ name, kind, address, session }, error) => {
    const why = error === undefined ? '' : `: ${error.message}`
    feed.event(
      'unpublished',
      { name, kind, address, server: serverOf(session), ...errorOf(error) },
      `${address} is no longer published${why}`
    )
  })
  client.on('visiting', ({ name, address }) => feed.event('visiting', { name, address }, `${address} → ${name}`))
  client.on('refused', ({ what, name, error, retryIn }) => {
    const again = retryIn === undefined ? '' : `; asking again in ${formatDuration(retryIn)}`
    const fields = { what, name, ...errorOf(error), ...(retryIn === undefined ? {} : { retryIn }) }
    if (what === 'stream') {
      feed.detail('refused', fields, `a stream of ${name} was refused: ${error.message}`)
      if (error.code !== 'stream.service-unreachable' || unreachable.has(name)) return
      unreachable.add(name)
      feed.logged(serviceHint(client, name))
    } else {
      feed.event('refused', fields)
      if (!ends()) feed.logged(`${name} was refused: ${error.message}${again}`)
    }
  })
  // Where requests are told of, the streams they come on say nothing new to people.
  const byRequests = ({ proxy: { kind } }: StreamInfo): boolean => {
    const { proxies } = client.kernel.current.registries
    return proxies.has(kind) && proxies.get(kind).exposed?.by === 'requests'
  }
  client.on('streamOpen', (stream) => opened(feed, stream, !byRequests(stream)))
  client.on('streamClose', (stream) => closed(feed, stream, !byRequests(stream)))
  feedRequests(feed, client, process.stdout.isTTY && process.env['NO_COLOR'] === undefined)
}
