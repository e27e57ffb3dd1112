import { ClusterView } from './cluster-view.js'
import { logLevels, type Static, Type } from '@rystra/plugin'

const text = (description: string) => Type.String({ description })
const count = (description: string) => Type.Integer({ minimum: 0, description })
const optional = Type.Optional

const codes = Type.Record(Type.String(), Type.Integer(), { description: 'Refusals by error code.' })

const traffic = {
  bytesToService: count('Bytes to services.'),
  bytesToVisitor: count('Bytes to visitors.')
}

const trafficStats = {
  ...traffic,
  streams: count('Open streams.'),
  opened: count('Streams so far.'),
  carriers: count('Open streams that carry many visitors each; not in `streams`.'),
  connectTimes: Type.Object(
    {
      count: count('Streams that reached their service.'),
      sum: Type.Number({ description: 'Milliseconds, summed.' }),
      last: Type.Number({ description: 'Milliseconds of the last one.' })
    },
    { description: 'Time to reach services.' }
  ),
  refused: codes
}

const errorInfo = Type.Object({
  code: text('Error code.'),
  message: text('What happened.'),
  retryable: Type.Boolean()
})

/** A session. */
export const SessionView = Type.Object(
  {
    id: text('Id of the session.'),
    client: text('`client.id`, as the client claims.'),
    identity: text('Authenticated identity.'),
    agent: text('Software and version of the client.'),
    peer: text('Address of the client, or of the server on a client.'),
    member: optional(text('Of several server processes the one that has it.')),
    server: optional(text('On a client: the server as `host:port`, as it was configured or found.')),
    transport: text('Transport of the link.'),
    muxer: text('Muxer of the link.'),
    tls: optional(text('Version of TLS.')),
    since: count('Milliseconds since the epoch.'),
    rtt: optional(Type.Number({ description: 'Round trip in milliseconds.' })),
    proxies: count('Published proxies.'),
    channels: count('Open channels.'),
    ...trafficStats,
    queue: optional(
      Type.Object(
        {
          queued: optional(count('Bytes that wait to be written.')),
          blocked: optional(count('Streams that wait for credit.')),
          window: optional(count('Bytes of granted receive windows.'))
        },
        { description: 'State of the muxer, as far as it is known.' }
      )
    ),
    datagrams: optional(
      Type.Object(
        {
          sent: count('Datagrams that were sent.'),
          received: count('Datagrams that were received.'),
          queued: count('Datagrams that wait to be sent.'),
          dropped: Type.Object({
            queue: count('Dropped because the queue of the link was full.'),
            size: count('Dropped because the path carries only smaller ones.'),
            unclaimed: count('Dropped because their stream is over, or not open yet.')
          }),
          lostPackets: count('Packets that the peer did not get.')
        },
        { description: 'Datagrams of the link, where the transport has them.' }
      )
    )
  },
  { $id: 'Session' }
)
export type SessionView = Static<typeof SessionView>

/** A proxy. */
export const ProxyView = Type.Object(
  {
    id: text('Id of the proxy.'),
    name: text('Name of the proxy.'),
    kind: text('Kind of the proxy.'),
    state: text('publishing, published, waiting, refused or idle.'),
    address: optional(text('What visitors connect to.')),
    published: optional(
      Type.Array(
        Type.Object({
          session: text('Id of the session.'),
          server: optional(text('The server as `host:port`.')),
          address: text('What visitors connect to there.')
        }),
        { description: 'On a client with sessions at several servers: each that has the proxy. Absent with one.' }
      )
    ),
    healthy: Type.Boolean({ description: 'As its health checks say; true without them.' }),
    session: optional(text('Id of its session.')),
    client: optional(text('`client.id` of its session.')),
    identity: optional(text('Identity of its session.')),
    origin: optional(
      text('configuration, program or server; on a server only server, of those that were added there.')
    ),
    by: optional(text('Which administrator of the server added it.')),
    error: optional(errorInfo),
    spec: Type.Unknown({ description: 'Its description, secrets redacted.' }),
    ...trafficStats
  },
  { $id: 'Proxy' }
)
export type ProxyView = Static<typeof ProxyView>

/** A stream. */
export const StreamView = Type.Object(
  {
    id: text('Id of the stream.'),
    proxy: text('Name of the proxy.'),
    kind: text('Kind of the proxy.'),
    session: text('Id of the session.'),
    client: text('`client.id` of the session.'),
    identity: text('Identity of the session.'),
    visitor: text('Address of the visitor.'),
    to: text('Address that the visitor connected to.'),
    openedAt: count('Milliseconds since the epoch.'),
    connectTime: optional(Type.Number({ description: 'Milliseconds until the service was reached.' })),
    paused: Type.Boolean({ description: 'Whether it waits to keep a pace.' }),
    ...traffic
  },
  { $id: 'Stream' }
)
export type StreamView = Static<typeof StreamView>

/** A listener. */
export const ListenerView = Type.Object(
  {
    id: text('`tls://0.0.0.0:7000`.'),
    transport: text('Transport.'),
    host: text('Bound address.'),
    port: count('Bound port.'),
    name: Type.Optional(text('Address on a transport without hosts and ports; `host` is empty then.')),
    since: count('Milliseconds since the epoch.'),
    accepted: count('Links so far.'),
    open: count('Open links.'),
    refused: codes
  },
  { $id: 'Listener' }
)
export type ListenerView = Static<typeof ListenerView>

const TapView = Type.Object({
  hook: text('Name of the hook.'),
  stage: Type.Integer(),
  timeout: optional(Type.Integer({ description: 'Milliseconds.' })),
  onFailure: text('What a failure means.'),
  authenticator: optional(text('Method of authentication.')),
  calls: count('Calls.'),
  errors: count('Throws, invalid answers and timeouts.'),
  timeouts: count('Timeouts.'),
  skipped: count('Calls that were left out.'),
  totalMs: Type.Number({ description: 'Milliseconds in this tap.' })
})

/** An extension. */
export const ExtensionView = Type.Object(
  {
    name: text('Name of the extension.'),
    package: optional(Type.Object({ name: Type.String(), version: Type.String() })),
    codeChanged: optional(Type.Boolean({ description: 'Whether its file has changed since it was loaded.' })),
    options: Type.Unknown({ description: 'Secrets redacted.' }),
    registers: Type.Array(Type.String()),
    requires: Type.Array(Type.String()),
    provides: Type.Array(Type.String()),
    taps: Type.Array(TapView)
  },
  { $id: 'Extension' }
)
export type ExtensionView = Static<typeof ExtensionView>

/** The certificate of a host. */
export const CertificateView = Type.Object(
  {
    host: text('Host.'),
    source: text('Extension that it comes from.'),
    state: text('waiting, ordering, valid, or failed when the last order failed.'),
    expires: optional(count('End of the certificate in use, in milliseconds since the epoch; absent without one.')),
    next: optional(Type.Number({ description: 'When it is ordered, or ordered again; milliseconds since the epoch.' })),
    error: optional(errorInfo)
  },
  { $id: 'Certificate' }
)
export type CertificateView = Static<typeof CertificateView>

/** Numbers of one end as a whole. */
const endStats = {
  ...trafficStats,
  sessions: count('Sessions.'),
  sessionsOpened: count('Sessions so far.'),
  proxies: count('Published proxies.')
}

/** Numbers of the process. */
export const ProcessView = Type.Object(
  {
    pid: count('Process id.'),
    uptime: Type.Number({ description: 'Seconds.' }),
    rss: count('Resident memory in bytes.'),
    heapUsed: count('Used heap in bytes.'),
    heapTotal: count('Heap in bytes.'),
    cpuUser: Type.Number({ description: 'Seconds.' }),
    cpuSystem: Type.Number({ description: 'Seconds.' }),
    eventLoopUtilization: Type.Number({ description: 'Of the event loop, 0 to 1, since the start of the process.' }),
    node: text('Version of Node.')
  },
  { $id: 'Process' }
)
export type ProcessView = Static<typeof ProcessView>

/** A metric of an extension. */
export const MetricView = Type.Object(
  {
    name: text('Name, as Prometheus has it.'),
    type: Type.Union([Type.Literal('counter'), Type.Literal('gauge')]),
    help: text('What is counted.'),
    values: Type.Array(Type.Object({ labels: Type.Record(Type.String(), Type.String()), value: Type.Number() }))
  },
  { $id: 'Metric' }
)
export type MetricView = Static<typeof MetricView>

/** The state of one end. */
export const StatusView = Type.Object(
  {
    side: Type.Union([Type.Literal('server'), Type.Literal('client')]),
    state: Type.Union([Type.Literal('running'), Type.Literal('draining')]),
    version: text('Version of the admin API.'),
    since: count('Milliseconds since the epoch.'),
    now: count('Milliseconds since the epoch.'),
    revision: text('Revision of the configuration in force.'),
    generation: count('Number of the generation of extensions.'),
    logLevel: optional(text('Level of the log; absent when it is not changed through this process.')),
    caller: Type.Object({ name: Type.String(), scope: Type.String() }),
    run: text('Random, another one for each run.'),
    sequence: count('Number of the last event.'),
    process: ProcessView,
    cluster: optional(ClusterView),
    ...endStats
  },
  { $id: 'Status' }
)
export type StatusView = Static<typeof StatusView>

/** A sample of the totals, in the stream of events. */
export const SampleView = Type.Object({
  time: count('Milliseconds since the epoch.'),
  ...traffic,
  streams: count('Open streams.'),
  opened: count('Streams so far.'),
  sessions: count('Sessions.'),
  proxies: count('Proxies.'),
  refused: count('Refusals so far.')
})
export type SampleView = Static<typeof SampleView>

/** Query of every list. */
export const listQuery = {
  limit: Type.Integer({ default: 100, minimum: 1, maximum: 10_000, description: 'Maximum of items of one page.' }),
  cursor: optional(Type.String({ maxLength: 1024, description: '`next` of the page before.' })),
  q: optional(Type.String({ maxLength: 256, description: 'Text that one of the fields contains, without case.' }))
}

export const filters = {
  session: optional(Type.String({ maxLength: 256, description: 'Id of the session.' })),
  client: optional(Type.String({ maxLength: 256, description: 'Id of the client.' })),
  identity: optional(Type.String({ maxLength: 256, description: 'Identity.' })),
  proxy: optional(Type.String({ maxLength: 256, description: 'Name of the proxy.' })),
  kind: optional(Type.String({ maxLength: 256, description: 'Kind of the proxy.' })),
  state: optional(Type.String({ maxLength: 64, description: 'State of the proxy.' }))
}

/** One page of a list. */
export interface Page<Item> {
  readonly items: Item[]
  /** Items that fit the filters, of all pages. */
  readonly total: number
  /** `cursor` of the next page; absent on the last. */
  readonly next?: string
}

export const logLevel = Type.Union(logLevels.map((level) => Type.Literal(level)))
