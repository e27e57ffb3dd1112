import { hostPort } from '@rystra/address'
import {
  type ExtensionInfo,
  isRystraError,
  type ListenerHandle,
  type ProxyHandle,
  type ProxyInfo,
  type ProxyKind,
  type ProxySpec,
  redactBy,
  type RuntimeEvent,
  type SessionHandle,
  type SessionInfo,
  type StreamHandle,
  type StreamInfo
} from '@rystra/plugin'
import type { ExtensionView, ListenerView, ProxyView, SessionView, StreamView } from './schemas.js'

const addressOf = ({ address, port }: SessionInfo['peer']): string => (port === 0 ? address : hostPort(address, port))

const sessionFields = (info: SessionInfo) => ({
  id: info.id,
  client: info.client.id,
  identity: info.identity.id,
  agent: info.client.agent,
  peer: addressOf(info.peer),
  ...(info.server === undefined ? {} : { server: info.server }),
  ...(info.member === undefined ? {} : { member: info.member }),
  transport: info.transport,
  muxer: info.muxer,
  ...(info.peer.tls === undefined ? {} : { tls: info.peer.tls.version }),
  since: info.since
})

const streamFields = ({ proxy, session, visitor }: StreamInfo) => ({
  proxy: proxy.name,
  kind: proxy.kind,
  session: session.id,
  client: session.client.id,
  identity: session.identity.id,
  visitor: hostPort(visitor.host, visitor.port),
  to: hostPort(visitor.to.host, visitor.to.port)
})

const ownerFields = ({ session, owner }: ProxyInfo) =>
  session === undefined
    ? (owner ?? {})
    : { session: session.id, client: session.client.id, identity: session.identity.id }

export const sessionView = ({
  info,
  stats
}: {
  info: SessionInfo
  stats: ReturnType<SessionHandle['stats']>
}): SessionView => {
  const { muxer, ...numbers } = stats
  return { ...sessionFields(info), ...numbers, ...(muxer === undefined ? {} : { queue: muxer }) }
}

/** The kinds of proxies, whose schemas say which fields of a spec are secret. */
export interface Kinds {
  get(kind: string): Pick<ProxyKind, 'spec'>
  has(kind: string): boolean
}

const publishedView = ({ session, address }: NonNullable<ProxyHandle['info']['published']>[number]) => ({
  session: session.id,
  ...(session.server === undefined ? {} : { server: session.server }),
  address
})

export const proxyView = (handle: ProxyHandle, kinds: Kinds): ProxyView => {
  const { spec, state, address, published, healthy, error, origin, by } = handle.info
  return {
    id: handle.id,
    name: spec.name,
    kind: spec.kind,
    state,
    ...(address === undefined ? {} : { address }),
    ...(published === undefined ? {} : { published: published.map(publishedView) }),
    healthy,
    ...ownerFields(handle.info),
    ...(origin === undefined ? {} : { origin }),
    ...(by === undefined ? {} : { by }),
    ...(error === undefined ? {} : { error: errorView(error) }),
    spec: specView(spec, kinds),
    ...handle.stats()
  }
}

export const streamView = (handle: StreamHandle): StreamView => ({
  id: handle.id,
  ...streamFields(handle.info),
  ...handle.stats()
})

export const listenerView = (handle: ListenerHandle): ListenerView => ({
  id: handle.id,
  transport: handle.info.transport,
  host: handle.info.host,
  port: handle.info.port,
  ...(handle.info.name === undefined ? {} : { name: handle.info.name }),
  since: handle.info.since,
  ...handle.stats()
})

/** `options` are redacted already. */
export const extensionView = ({ file: _file, taps, ...info }: ExtensionInfo): ExtensionView => ({
  ...info,
  registers: [...info.registers],
  requires: [...info.requires],
  provides: [...info.provides],
  taps: taps.map(({ extension: _extension, ...tap }) => tap)
})

const errorView = (error: unknown) =>
  isRystraError(error)
    ? { code: error.code, message: error.message, retryable: error.retryable }
    : { code: 'internal', message: 'internal error', retryable: false }

const specView = (spec: ProxySpec, kinds: Kinds): unknown =>
  redactBy(kinds.has(spec.kind) ? kinds.get(spec.kind).spec : undefined, spec)

/** An event as JSON: no bytes of certificates, no secrets of specs. */
export const eventView = (event: RuntimeEvent, kinds: Kinds): Record<string, unknown> => {
  const view: Record<string, unknown> = { ...event }
  if ('session' in event && event.session !== undefined) view['session'] = sessionFields(event.session)
  if ('spec' in event) view['spec'] = specView(event.spec, kinds)
  if ('proxy' in event && event.proxy !== undefined) view['proxy'] = specView(event.proxy, kinds)
  if (event.type === 'stream.opened')
    view['stream'] = { id: `${event.stream.session.id}.${event.stream.id}`, ...streamFields(event.stream) }
  if (event.type === 'stream.closed') {
    const { id, bytesToService, bytesToVisitor, duration, reason, error } = event.stream
    view['stream'] = {
      id: `${event.stream.session.id}.${id}`,
      ...streamFields(event.stream),
      bytesToService,
      bytesToVisitor,
      duration,
      reason,
      ...(error === undefined ? {} : { error: errorView(error) })
    }
  }
  return view
}
