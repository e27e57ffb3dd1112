import { until } from '@rystra/testkit'
import { expect } from 'chai'
import type { Runtime } from '@rystra/plugin'
import { lagSeconds } from '../src/process-metrics.js'
import { MetricsRegistry } from '../src/registry.js'
import { defaults, metricsWith, proxyHandle, runtimeWith, sessionHandle } from './fakes.js'
import { type Family, parseExposition, seriesValue } from './parse.js'

const render = async (
  fields: Partial<Runtime>,
  options = {},
  metrics = metricsWith([])
): Promise<Map<string, Family>> => {
  const registry = new MetricsRegistry(runtimeWith(fields), metrics, { ...defaults, ...options })
  registry.start()
  const pieces = await registry.render()
  registry.stop()
  return parseExposition(pieces.join(''))
}

describe('the metrics', () => {
  it('are of the end, its listeners, proxies, clients and taps, in base units', async () => {
    const families = await render({ proxies: () => [proxyHandle('ssh', 2)], sessions: () => [sessionHandle('nas', 2)] })
    expect(seriesValue(families, 'rystra_traffic_bytes_total', { direction: 'to_service' })).to.equal(300)
    expect(seriesValue(families, 'rystra_refused_total', { code: 'stream.limit' })).to.equal(3)
    expect(seriesValue(families, 'rystra_connect_duration_seconds_sum')).to.be.closeTo(0.015, 1e-9)
    expect(seriesValue(families, 'rystra_connect_duration_seconds_count')).to.equal(3)
    expect(seriesValue(families, 'rystra_start_time_seconds')).to.equal(1_700_000_000)
    expect(
      seriesValue(families, 'rystra_listener_refused_total', { listener: 'tls://0.0.0.0:7000', code: 'auth.refused' })
    ).to.equal(3)
    const proxy = { proxy: 'ssh', kind: 'tcp', client: 'nas', identity: 'home' }
    expect(seriesValue(families, 'rystra_proxy_traffic_bytes_total', { ...proxy, direction: 'to_visitor' })).to.equal(
      2000
    )
    expect(seriesValue(families, 'rystra_proxy_streams_opened_total', proxy)).to.equal(20)
    expect(seriesValue(families, 'rystra_proxy_healthy', proxy)).to.equal(1)
    expect(seriesValue(families, 'rystra_client_round_trip_seconds', { client: 'nas' })).to.equal(0.025)
    expect(seriesValue(families, 'rystra_client_queued_bytes', { client: 'nas', muxer: 'yamux' })).to.equal(7)
    expect(
      seriesValue(families, 'rystra_tap_duration_seconds_total', { hook: 'onOpenStream', extension: 'hook-acl' })
    ).to.equal(0.25)
    for (const { name, type, help } of families.values()) {
      expect(help, name).to.match(/\.$/)
      expect(name.endsWith('_total'), `${name} is a ${type}`).to.equal(type === 'counter')
    }
  })

  it('name the server of a cluster, and say how it stands', async () => {
    const stats = (state: 'up' | 'away') => () => ({
      ...runtimeWith({}).stats(),
      cluster: { name: 'b', cluster: 'rystra', state, members: [], forwarded: 4 }
    })
    const families = await render({ stats: stats('up') })
    expect(seriesValue(families, 'rystra_end_info', { side: 'server', member: 'b' })).to.equal(1)
    expect(seriesValue(families, 'rystra_cluster_up')).to.equal(1)
    expect(seriesValue(families, 'rystra_cluster_streams')).to.equal(4)
    expect(seriesValue(await render({ stats: stats('away') }), 'rystra_cluster_up')).to.equal(0)
    expect((await render({})).has('rystra_cluster_up'), 'a server alone').to.equal(false)
  })

  it('are of the process', async () => {
    const families = await render({})
    expect(seriesValue(families, 'process_resident_memory_bytes')).to.be.greaterThan(1e6)
    expect(seriesValue(families, 'process_start_time_seconds')).to.be.within(1.6e9, Date.now() / 1000)
    expect(seriesValue(families, 'nodejs_heap_size_used_bytes')).to.be.greaterThan(1e5)
    if (process.platform === 'linux')
      expect(seriesValue(families, 'process_open_fds')).to.be.within(3, seriesValue(families, 'process_max_fds'))
    expect(
      [...(await render({}, { process: false })).keys()].filter((name) => /^(process|nodejs)_/.test(name))
    ).to.deep.equal([])
  })

  it('measure a blocked event loop', async () => {
    const registry = new MetricsRegistry(runtimeWith({}), metricsWith([]), defaults)
    registry.start()
    // It is measured on the real event loop, which has no clock to inject, and from some turn of it on.
    const lag = 'nodejs_eventloop_lag_max_seconds'
    let families = parseExposition('')
    const isMeasured = async (): Promise<boolean> => {
      const end = performance.now() + 100
      while (performance.now() < end);
      families = parseExposition((await registry.render()).join(''))
      return families.has(lag) && seriesValue(families, lag) > 0.05
    }
    await until(isMeasured, 'a lag of more than 50 ms')
    registry.stop()
    expect(seriesValue(families, 'nodejs_eventloop_utilization_ratio')).to.be.within(0, 1)
    // What Node measures has the interval of its timer in it.
    expect([lagSeconds(50e6), lagSeconds(49e6)]).to.deep.equal([0, 0])
    expect(lagSeconds(120e6)).to.be.closeTo(0.07, 1e-9)
  })

  it('have those of other extensions, by their names', async () => {
    const values = [{ labels: { what: 'streams' }, value: 4 }]
    const metrics = metricsWith([{ name: 'rystra_rate_refused_total', type: 'counter', help: 'Refusals.', values }])
    expect(seriesValue(await render({}, {}, metrics), 'rystra_rate_refused_total', { what: 'streams' })).to.equal(4)
  })

  it('of a proxy are gone with it', async () => {
    const proxies = [proxyHandle('a'), proxyHandle('b')]
    const registry = new MetricsRegistry(runtimeWith({ proxies: () => proxies }), metricsWith([]), defaults)
    const names = async (): Promise<unknown[]> =>
      parseExposition((await registry.render()).join(''))
        .get('rystra_proxy_streams')
        ?.samples.map(({ labels }) => labels['proxy']) ?? []
    expect(await names()).to.deep.equal(['a', 'b'])
    proxies.shift()
    expect(await names()).to.deep.equal(['b'])
    proxies.shift()
    expect(await names()).to.deep.equal([])
  })

  it('escape what peers put into names', async () => {
    const name = 'a"b\\c\nd}e,f="g" # {\u{1f600}\r\t'
    const families = await render({ proxies: () => [proxyHandle(name)] })
    expect(seriesValue(families, 'rystra_proxy_streams', { proxy: name })).to.equal(1)
  })

  it('sum proxies with the same labels: two sessions of one client for a moment', async () => {
    const families = await render({ proxies: () => [proxyHandle('a', 1), proxyHandle('a', 2)] })
    expect(seriesValue(families, 'rystra_proxy_streams', { proxy: 'a' })).to.equal(3)
    const merged = await render(
      { proxies: () => [proxyHandle('a', 1, 'x'), proxyHandle('a', 2, 'y')] },
      { clients: false }
    )
    expect(merged.get('rystra_proxy_streams')?.samples).to.deep.equal([
      { name: 'rystra_proxy_streams', labels: { proxy: 'a', kind: 'tcp' }, value: 3 }
    ])
    expect(merged.has('rystra_client_sessions')).to.equal(false)
  })

  it('stay bounded under a bomb of labels: what is above the limit is summed under overflow="true"', async () => {
    const many = Array.from({ length: 20_000 }, (_, i) => proxyHandle(`${i}-${'x'.repeat(100)}`, 1))
    const values = Array.from({ length: 5000 }, (_, i) => ({ labels: { what: String(i) }, value: 1 }))
    const metrics = metricsWith([{ name: 'other_total', type: 'counter', help: 'Other.', values }])
    const families = await render({ proxies: () => many }, { maxSeries: 50 }, metrics)
    const samples = families.get('rystra_proxy_streams')?.samples ?? []
    expect(samples).to.have.length(51)
    expect(seriesValue(families, 'rystra_proxy_streams', { overflow: 'true' })).to.equal(20_000 - 50)
    expect(samples.reduce((sum, { value }) => sum + value, 0)).to.equal(20_000)
    expect(families.get('rystra_proxy_refused_total')?.samples).to.have.length(51)
    expect(seriesValue(families, 'other_total', { overflow: 'true' })).to.equal(4950)
  })

  it('are rendered in pieces, between which the process goes on', async () => {
    const many = Array.from({ length: 2000 }, (_, i) => proxyHandle(String(i), 1))
    const registry = new MetricsRegistry(runtimeWith({ proxies: () => many }), metricsWith([]), defaults)
    let turns = 0
    let over = false
    const count = (): void => {
      turns++
      if (!over) setImmediate(count)
    }
    setImmediate(count)
    const pieces = await registry.render()
    over = true
    expect(turns).to.be.greaterThan(20)
    expect(pieces.length).to.be.greaterThan(10)
    expect(Math.max(...pieces.map(({ length }) => length))).to.be.lessThan(256 * 1024)
  })

  it('are rendered once for scrapes at the same time', async () => {
    let reads = 0
    const { stats } = runtimeWith({})
    const counted = (): ReturnType<typeof stats> => {
      reads++
      return stats()
    }
    const registry = new MetricsRegistry(runtimeWith({ stats: counted }), metricsWith([]), defaults)
    const [one, two] = await Promise.all([registry.render(), registry.render()])
    expect(one).to.equal(two)
    expect(reads).to.equal(1)
    await registry.render()
    expect(reads).to.equal(2)
  })
})
