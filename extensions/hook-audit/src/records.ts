import type {
  CloseRequestContext,
  CloseStreamContext,
  ConnectContext,
  DisconnectContext,
  ProxySpec,
  RefusedContext,
  RystraError,
  SessionInfo,
  StreamInfo,
  UnregisterProxyContext
} from '@rystra/plugin'
import { cut, isSecretName, plain, scrubbed } from './line.js'

type Fields = Readonly<Record<string, unknown>>

/** Whose session it is. What a client says of itself is `client`, what was proven is `identity`. */
const whose = ({ id, client, identity }: SessionInfo): Fields => ({
  session: cut(id),
  client: cut(client.id),
  identity: cut(identity.id)
})

const which = ({ name, kind }: ProxySpec): Fields => ({ proxy: cut(String(name)), kind: cut(String(kind)) })

const failure = (error: RystraError | undefined): Fields =>
  error === undefined
    ? {}
    : { code: error.code, ...(error.detail === undefined ? {} : { detail: scrubbed(error.detail) }) }

const streamOf = ({ session, proxy, id, visitor }: StreamInfo): Fields => ({
  ...whose(session),
  ...which(proxy),
  stream: cut(id),
  visitor: cut(visitor.host),
  visitorPort: visitor.port
})

export const sessionOpen = ({ session }: ConnectContext): Fields => ({
  ...whose(session),
  instance: cut(session.client.instance),
  agent: cut(session.client.agent),
  peer: cut(session.peer.address),
  peerPort: session.peer.port,
  transport: session.transport,
  muxer: session.muxer,
  ...(session.peer.tls === undefined ? {} : { tls: session.peer.tls.version })
})

/** @param now milliseconds since the epoch */
export const sessionClose = ({ session, error }: DisconnectContext, now: number): Fields => ({
  ...whose(session),
  peer: cut(session.peer.address),
  duration: Math.max(0, now - session.since),
  ...failure(error)
})

/** The fields of a spec that may be said: those named, if they are plain, and no secret by their name. */
const specFields = (spec: ProxySpec, fields: readonly string[]): Fields => {
  const said: Record<string, unknown> = {}
  for (const field of fields) {
    if (!Object.hasOwn(spec, field) || isSecretName(field)) continue
    // A group is a name, or an object with one.
    const value = field === 'group' ? nameOf(spec[field]) : spec[field]
    const shown = plain(value)
    if (shown !== undefined) said[field] = shown
  }
  return said
}

const nameOf = (group: unknown): unknown =>
  typeof group === 'object' ? (group as { name?: unknown } | null)?.name : group

export const proxyPublish = (
  { session, proxy, address }: { session: SessionInfo; proxy: ProxySpec; address: string },
  fields: readonly string[]
): Fields => ({
  ...whose(session),
  ...which(proxy),
  address: scrubbed(address),
  spec: specFields(proxy, fields)
})

export const proxyUnpublish = ({ session, proxy, reason }: UnregisterProxyContext): Fields => ({
  ...whose(session),
  ...which(proxy),
  reason
})

export const streamOpen = (stream: StreamInfo): Fields => streamOf(stream)

export const streamClose = (context: CloseStreamContext): Fields => ({
  ...streamOf(context),
  bytesToService: context.bytesToService,
  bytesToVisitor: context.bytesToVisitor,
  duration: context.duration,
  reason: context.reason,
  ...failure(context.error)
})

/** The query is left out: secrets travel there. */
export const request = ({ request: asked, ...over }: CloseRequestContext): Fields => ({
  ...whose(asked.session),
  ...which(asked.proxy),
  request: cut(asked.id),
  visitor: cut(asked.visitor.host),
  method: cut(asked.method),
  host: cut(asked.host),
  path: cut(asked.target.split(/[?#]/, 1)[0] ?? ''),
  status: over.status,
  bytesToService: over.bytesToService,
  bytesToVisitor: over.bytesToVisitor,
  duration: over.duration,
  ...failure(over.error)
})

export const refusal = ({ what, who, error, peer, session, proxy, stream }: RefusedContext): Fields => {
  const spec = proxy ?? stream?.proxy
  return {
    what,
    who: cut(who),
    ...(session === undefined ? {} : whose(session)),
    ...(peer === undefined ? {} : { peer: cut(peer.address), peerPort: peer.port }),
    ...(spec === undefined ? {} : which(spec)),
    ...(stream === undefined ? {} : { stream: cut(stream.id), visitor: cut(stream.visitor.host) }),
    ...failure(error)
  }
}
