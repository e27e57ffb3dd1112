/** Every measurement of the bench, in short. `npm run bench:check` runs it; `npm test` has one of them in bench.spec.ts. */
import { expect } from 'chai'
import { goals } from './goals.js'
import type { Measure } from './options.js'
import { keysOf, run, short } from './short-run.js'
import { table } from './table.js'
import { usageKnown } from './usage.js'

describe('the measurements of the bench', function () {
  this.timeout(180_000)

  it('measures a direct connection and both muxers, and leaves nothing behind', async () => {
    const report = await run(short)
    const keys = ['up1', 'down1', 'up8', 'down8', 'p50', 'p99', 'connections'] as const
    keysOf(report, keys, ['direct', 'rystra-direct', 'rystra-yamux'])
    for (const { name, values, streams, clients } of report.routes) {
      if (name === 'direct') continue
      if (usageKnown) expect(values.cpu?.median, `${name} cpu`).to.be.greaterThan(0)
      expect(streams, name).to.include({ streams: 20 }).and.include.keys('server', 'client', 'resident')
      expect(clients, name).to.include({ clients: 3 })
    }
    expect(table(report, goals(report))).to.include('rystra-yamux ÷')
  })

  it('measures requests directly, through a plain proxy and through a tunnel', async () => {
    const measures = new Set<Measure>(['requests'])
    const only = ['=http-direct', '=http-node', '=http-rystra-yamux']
    const report = await run({ ...short, measures, only, peers: ['=http-node'] })
    keysOf(report, ['requests', 'requestP50', 'requestP99'], ['http-direct', 'http-rystra-yamux', 'http-node'])
    const text = table(report, goals(report))
    expect(text).to.include('÷ http-node').and.include('http-rystra-yamux requests ≥ 0.5 × http-node')
    expect(text).to.include("requests by the bench's own process")
  })

  it('measures datagrams directly, through a plain relay, in a stream and beside one', async () => {
    const measures = new Set<Measure>(['packets'])
    const only = ['=udp-direct', '=udp-node', '=udp-rystra-yamux', '=udp-rystra-quic']
    const report = await run({ ...short, measures, only, peers: ['=udp-node'] })
    const names = ['udp-direct', 'udp-rystra-yamux', 'udp-rystra-quic', 'udp-node']
    keysOf(report, ['up64', 'down64', 'up1200', 'down1200', 'trip512'], names)
    for (const { name, values } of report.routes) expect(values.lost?.median, name).to.be.within(0, 100)
    expect(table(report, goals(report))).to.include('÷ udp-node')
  })

  it('measures streams with hooks that have nothing, little and much to do with them', async () => {
    const measures = new Set<Measure>(['hooks'])
    const only = ['=hooks-none', '=hooks-elsewhere', '=hooks-rate', '=hooks-audit', '=hooks-rewrite']
    const report = await run({ ...short, measures, only })
    keysOf(
      report,
      ['up1', 'down1', 'up8', 'down8'],
      only.map((name) => name.slice(1))
    )
    expect(table(report, goals(report))).to.include('hooks-rate up1 ≥ 0.7 × hooks-none')
  })

  it('measures streams and requests that are watched', async () => {
    const report = await run({ ...short, measures: new Set<Measure>(['watching']), only: [] })
    const names = ['none', 'dashboard', 'metrics', 'both', 'traces'].map((name) => `watch-${name}`)
    const web = ['none', 'both', 'traces', 'inspect'].map((name) => `watch-http-${name}`)
    expect(report.routes.map(({ name }) => name)).to.deep.equal([...names, ...web])
    for (const { name, failures, values, field } of report.routes) {
      expect(failures, name).to.deep.equal([])
      for (const key of field === 'watching' ? (['up1', 'down8', 'connections'] as const) : (['requests'] as const))
        expect(values[key]?.median, `${name} ${key}`).to.be.greaterThan(0)
    }
    expect(table(report, goals(report)))
      .to.include('÷ watch-none')
      .and.include('÷ watch-http-none')
  })

  it('registers many hosts, and looks them up', async () => {
    const report = await run({ ...short, measures: new Set<Measure>(['registry']) })
    expect(report.routes).to.deep.equal([])
    const { registry } = report
    if (typeof registry !== 'object') throw new Error(registry)
    expect(registry).to.include({ hosts: 40, clients: 10 })
    expect(registry.lookups.map(({ hosts }) => hosts)).to.deep.equal([10, 40])
    expect(registry.requests.map(({ hosts }) => hosts)).to.deep.equal([10, 40])
    for (const found of registry.lookups) for (const time of Object.values(found)) expect(time).to.be.greaterThan(0)
    for (const found of registry.requests) for (const time of Object.values(found)) expect(time).to.be.greaterThan(0)
    expect(table(report, goals(report)))
      .to.include('look-up among')
      .and.match(/\n +10 hosts .*\n +40 hosts /)
  })
})
