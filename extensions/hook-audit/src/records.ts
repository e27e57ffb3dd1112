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
import { cut, mayHoldSecret, plain, scrubbed } from './line.js'

type Fields = Readonly<Record<string, unknown>>

/** The session's owner: `client` is what the client claims, `identity` what was proved. */
const ownerFields = ({ id, client, identity }: SessionInfo): Fields => ({
  session: cut(id),
  client: cut(client.id),
  identity: cut(identity.id)
})

const proxyFields = ({ name, kind }: ProxySpec): Fields => ({ proxy: cut(String(name)), kind: cut(String(kind)) })

const failure = (error: RystraError | undefined): Fields =>
  error === undefined
    ? {}
    : { code: error.code, ...(error.detail === undefined ? {} : { detail: scrubbed(error.detail) }) }

const streamOf = ({ session, proxy, id, visitor }: StreamInfo): Fields => ({
  ...ownerFields(session),
  ...proxyFields(proxy),
  stream: cut(id),
  visitor: cut(visitor.host),
  visitorPort: visitor.port
})

export const sessionOpen = ({ session }: ConnectContext): Fields => ({
  ...ownerFields(session),
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
  ...ownerFields(session),
  peer: cut(session.peer.address),
  duration: Math.max(0, now - session.since),
  ...failure(error)
})

/** The configured fields of a spec that are plain and name no secret. */
const specFields = (spec: ProxySpec, fields: readonly string[]): Fields => {
  const recorded: Record<string, unknown> = {}
  for (const field of fields) {
    if (!Object.hasOwn(spec, field) || mayHoldSecret(field)) continue
    // A group is a name, or an object with one.
    const value = field === 'group' ? nameOf(spec[field]) : spec[field]
    const shown = plain(value)
    if (shown !== undefined) recorded[field] = shown
  }
  return recorded
}

const nameOf = (group: unknown): unknown =>
  typeof group === 'object' ? (group as { name?: unknown } | null)?.name : group

export const proxyPublish = (
  { session, proxy, address }: { session: SessionInfo; proxy: ProxySpec; address: string },
  fields: readonly string[]
): Fields => ({
  ...ownerFields(session),
  ...proxyFields(proxy),
  address: scrubbed(address),
  spec: specFields(proxy, fields)
})

export const proxyUnpublish = ({ session, proxy, reason }: UnregisterProxyContext): Fields => ({
  ...ownerFields(session),
  ...proxyFields(proxy),
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

/** Without query, which may contain secrets. */
export const request = ({ request: opened, ...result }: CloseRequestContext): Fields => ({
  ...ownerFields(opened.session),
  ...proxyFields(opened.proxy),
  request: cut(opened.id),
  visitor: cut(opened.visitor.host),
  method: cut(opened.method),
  host: cut(opened.host),
  path: cut(opened.target.split(/[?#]/, 1)[0] ?? ''),
  status: result.status,
  bytesToService: result.bytesToService,
  bytesToVisitor: result.bytesToVisitor,
  duration: result.duration,
  ...failure(result.error)
})

export const refusal = ({ what, subject, error, peer, session, proxy, stream }: RefusedContext): Fields => {
  const spec = proxy ?? stream?.proxy
  return {
    what,
    subject: cut(subject),
    ...(session === undefined ? {} : ownerFields(session)),
    ...(peer === undefined ? {} : { peer: cut(peer.address), peerPort: peer.port }),
    ...(spec === undefined ? {} : proxyFields(spec)),
    ...(stream === undefined ? {} : { stream: cut(stream.id), visitor: cut(stream.visitor.host) }),
    ...failure(error)
  }
}
