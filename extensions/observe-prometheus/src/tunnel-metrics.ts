import type { ClusterInfo, ProxyHandle, RefusalCounts, Runtime, SessionHandle } from '@rystra/plugin'
import { type DatagramColumn, datagramRow, renderDatagrams } from './link-datagrams.js'
import { type Exposition, turn } from './exposition.js'
import { type Labels, labelText, SeriesTable } from './series.js'
import type { PrometheusOptions } from './options.js'

/** Handles that are read between two turns of the event loop: each sums over its open streams. */
const HANDLES_PER_TURN = 200

type Direction = 'bytesToService' | 'bytesToVisitor'

const directions = [
  ['direction="to_service"', 'bytesToService'],
  ['direction="to_visitor"', 'bytesToVisitor']
] as const satisfies readonly (readonly [string, Direction])[]

const duration = [
  ['_sum', 'sum', 0.001],
  ['_count', 'count']
] as const

const each = async <Handle>(handles: Iterable<Handle>, read: (handle: Handle) => void): Promise<void> => {
  let count = 0
  for (const handle of [...handles]) {
    read(handle)
    if (++count % HANDLES_PER_TURN === 0) await turn()
  }
}

type CodeTable = SeriesTable<'count'>

const addCodes = (table: CodeTable, labels: Labels, refused: RefusalCounts): void => {
  for (const [code, count] of Object.entries(refused)) table.add({ ...labels, code }, { count })
}

/** Metrics of sessions, proxies, streams, listeners and taps, read from what runs. */
export class TunnelMetrics {
  readonly #runtime: Runtime
  readonly #options: PrometheusOptions

  constructor(runtime: Runtime, options: PrometheusOptions) {
    this.#runtime = runtime
    this.#options = options
  }

  async render(out: Exposition): Promise<void> {
    await this.#end(out)
    await this.#listeners(out)
    if (this.#options.proxies) await this.#proxies(out)
    if (this.#options.clients) await this.#sessions(out)
    await this.#taps(out)
  }

  #table<Column extends string>(): SeriesTable<Column> {
    return new SeriesTable<Column>(this.#options.maxSeries)
  }

  async #end(out: Exposition): Promise<void> {
    const stats = this.#runtime.stats()
    const end = this.#table<Direction>()
    end.add({}, stats)
    const refused: CodeTable = this.#table()
    addCodes(refused, {}, stats.refused)
    const connect = this.#table<'sum' | 'count'>()
    connect.add({}, { sum: stats.connectTimes.sum, count: stats.connectTimes.count })
    const { side } = this.#runtime
    out.single(
      'rystra_end_info',
      'gauge',
      'The end that is measured: server or client.',
      1,
      labelText({ side, ...(stats.cluster === undefined ? {} : { member: stats.cluster.name }) })
    )
    out.single(
      'rystra_start_time_seconds',
      'gauge',
      'Start of this end, in seconds since the epoch.',
      stats.since / 1000
    )
    out.single(
      'rystra_generation',
      'gauge',
      'Number of the generation of extensions; each reload makes another.',
      stats.generation
    )
    this.#cluster(out, stats.cluster)
    out.single('rystra_sessions', 'gauge', 'Sessions that are up.', stats.sessions)
    out.single('rystra_sessions_opened_total', 'counter', 'Sessions so far.', stats.sessionsOpened)
    out.single('rystra_proxies', 'gauge', 'Proxies.', stats.proxies)
    out.single('rystra_streams', 'gauge', 'Streams that are open or being opened.', stats.streams)
    out.single('rystra_streams_opened_total', 'counter', 'Streams so far.', stats.opened)
    out.single('rystra_carriers', 'gauge', 'Open streams that carry many visitors each.', stats.carriers)
    await out.metrics(end, [['rystra_traffic_bytes_total', 'counter', 'Bytes of visitors, by direction.', directions]])
    await out.metrics(connect, [['rystra_connect_duration_seconds', 'summary', 'Time to reach the service.', duration]])
    await out.metrics(refused, [
      ['rystra_refused_total', 'counter', 'Refused sessions, registrations and streams, by error code.', 'count']
    ])
  }

  #cluster(out: Exposition, cluster: ClusterInfo | undefined): void {
    if (cluster === undefined) return
    const { state, members, forwarded } = cluster
    out.single(
      'rystra_cluster_up',
      'gauge',
      'Whether the directory has answered within the lease.',
      state === 'up' ? 1 : 0
    )
    out.single('rystra_cluster_members', 'gauge', 'Servers of the cluster that are there.', members.length)
    out.single('rystra_cluster_streams', 'gauge', 'Open streams of visitors that other servers serve.', forwarded)
  }

  async #listeners(out: Exposition): Promise<void> {
    const table = this.#table<'accepted' | 'open'>()
    const refused: CodeTable = this.#table()
    await each(this.#runtime.listeners(), (listener) => {
      const { accepted, open, refused: codes } = listener.stats()
      table.add({ listener: listener.id }, { accepted, open })
      addCodes(refused, { listener: listener.id }, codes)
    })
    await out.metrics(table, [
      ['rystra_listener_links_accepted_total', 'counter', 'Links accepted from clients.', 'accepted'],
      ['rystra_listener_links', 'gauge', 'Open links of clients.', 'open']
    ])
    await out.metrics(refused, [['rystra_listener_refused_total', 'counter', 'Refused links, by error code.', 'count']])
  }

  #proxyLabels({ info }: ProxyHandle): Labels {
    const { spec, session } = info
    const labels = { proxy: spec.name, kind: spec.kind }
    if (!this.#options.clients || this.#runtime.side === 'client' || session === undefined) return labels
    return { ...labels, client: session.client.id, identity: session.identity.id }
  }

  async #proxies(out: Exposition): Promise<void> {
    const table = this.#table<Direction | 'streams' | 'opened' | 'published' | 'healthy' | 'sum' | 'count'>()
    const refused: CodeTable = this.#table()
    await each(this.#runtime.proxies(), (proxy) => {
      const labels = this.#proxyLabels(proxy)
      const { streams, opened, bytesToService, bytesToVisitor, connectTimes, refused: codes } = proxy.stats()
      const { sum, count } = connectTimes
      const published = proxy.info.state === 'published' ? 1 : 0
      const healthy = proxy.info.healthy ? 1 : 0
      table.add(labels, { streams, opened, bytesToService, bytesToVisitor, sum, count, published, healthy })
      addCodes(refused, labels, codes)
    })
    await out.metrics(table, [
      ['rystra_proxy_published', 'gauge', 'Whether the proxy is published.', 'published'],
      ['rystra_proxy_healthy', 'gauge', 'Whether the service is healthy, as its health checks say.', 'healthy'],
      ['rystra_proxy_streams', 'gauge', 'Streams of the proxy that are open or being opened.', 'streams'],
      ['rystra_proxy_streams_opened_total', 'counter', 'Streams of the proxy so far.', 'opened'],
      ['rystra_proxy_traffic_bytes_total', 'counter', 'Bytes of visitors of the proxy, by direction.', directions],
      ['rystra_proxy_connect_duration_seconds', 'summary', 'Time to reach the service of the proxy.', duration]
    ])
    await out.metrics(refused, [
      ['rystra_proxy_refused_total', 'counter', 'Refused streams of the proxy, by error code.', 'count']
    ])
  }

  #sessionLabels({ info }: SessionHandle): Labels {
    const { client, identity, transport, muxer, server, member } = info
    // On a client its id is the same everywhere: the servers tell its sessions apart.
    const where = { ...(server === undefined ? {} : { server }), ...(member === undefined ? {} : { member }) }
    return { client: client.id, identity: identity.id, transport, muxer, ...where }
  }

  async #sessions(out: Exposition): Promise<void> {
    const table = this.#table<Direction | 'sessions' | 'streams' | 'opened' | 'proxies' | 'channels'>()
    const roundTrips = this.#table<'rtt'>()
    const queued = this.#table<'queued'>()
    const blocked = this.#table<'blocked'>()
    const windows = this.#table<'window'>()
    const datagrams = this.#table<DatagramColumn>()
    await each(this.#runtime.sessions(), (session) => {
      const labels = this.#sessionLabels(session)
      const { streams, opened, proxies, channels, bytesToService, bytesToVisitor, rtt, ...link } = session.stats()
      table.add(labels, { sessions: 1, streams, opened, proxies, channels, bytesToService, bytesToVisitor })
      if (rtt !== undefined) roundTrips.add(labels, { rtt })
      const { muxer } = link
      // What a muxer does not tell has no series: a zero would be a measurement.
      if (muxer?.queued !== undefined) queued.add(labels, { queued: muxer.queued })
      if (muxer?.blocked !== undefined) blocked.add(labels, { blocked: muxer.blocked })
      if (muxer?.window !== undefined) windows.add(labels, { window: muxer.window })
      if (link.datagrams !== undefined) datagrams.add(labels, datagramRow(link.datagrams))
    })
    await out.metrics(table, [
      ['rystra_client_sessions', 'gauge', 'Sessions of the client that are up.', 'sessions'],
      ['rystra_client_proxies', 'gauge', 'Proxies of the client.', 'proxies'],
      ['rystra_client_streams', 'gauge', 'Streams of the client that are open or being opened.', 'streams'],
      ['rystra_client_streams_opened_total', 'counter', 'Streams of the session of the client so far.', 'opened'],
      ['rystra_client_channels', 'gauge', 'Open channels of the client, such as streams of RPC.', 'channels'],
      [
        'rystra_client_traffic_bytes_total',
        'counter',
        'Bytes of visitors in the session of the client, by direction.',
        directions
      ]
    ])
    await out.metrics(roundTrips, [
      ['rystra_client_round_trip_seconds', 'gauge', 'Round trip of the last heartbeat.', [['', 'rtt', 0.001]]]
    ])
    await out.metrics(queued, [
      ['rystra_client_queued_bytes', 'gauge', 'Bytes that wait to be written to the link.', 'queued']
    ])
    await out.metrics(blocked, [
      ['rystra_client_blocked_streams', 'gauge', 'Streams that wait for credit of the other end.', 'blocked']
    ])
    await out.metrics(windows, [
      ['rystra_client_window_bytes', 'gauge', 'Bytes that the other end may send before this one reads on.', 'window']
    ])
    await renderDatagrams(datagrams, out)
  }

  async #taps(out: Exposition): Promise<void> {
    const table = this.#table<'calls' | 'errors' | 'timeouts' | 'totalMs'>()
    for (const { taps } of this.#runtime.extensions()) {
      for (const { hook, extension, calls, errors, timeouts, totalMs } of taps)
        table.add({ hook, extension }, { calls, errors, timeouts, totalMs })
    }
    await out.metrics(table, [
      ['rystra_tap_calls_total', 'counter', 'Calls of the taps of extensions.', 'calls'],
      ['rystra_tap_errors_total', 'counter', 'Throws, invalid answers and timeouts of taps.', 'errors'],
      ['rystra_tap_timeouts_total', 'counter', 'Timeouts of taps.', 'timeouts'],
      [
        'rystra_tap_duration_seconds_total',
        'counter',
        'Time spent in taps, waiting included.',
        [['', 'totalMs', 0.001]]
      ]
    ])
  }
}
