import { expect } from 'chai'
import { existsSync } from 'node:fs'
import { Bench } from './bench.js'
import { goals } from './goals.js'
import { readWrk } from './measure-requests.js'
import { type BenchOptions, type Measure, parseOptions } from './options.js'
import type { MetricKey, RouteResult, Report } from './result.js'
import { Scratch } from './scratch.js'
import { median, series } from './statistics.js'
import { table } from './table.js'
import { usageKnown } from './usage.js'

const short: BenchOptions = {
  json: false,
  only: ['=direct', '=rystra-direct', '=rystra-yamux'],
  peers: ['none'],
  measures: new Set<Measure>(['bulk', 'latency', 'connections', 'links', 'streams', 'clients']),
  rounds: 1,
  window: 100,
  warmup: 20,
  trips: 50,
  connecting: 100,
  streams: 20,
  clients: 3,
  hosts: 40,
  ownLoad: true
}

const route = (name: string, up1: number): RouteResult => ({
  field: 'streams',
  name,
  title: name,
  values: { up1: series([up1]) },
  failures: []
})

/** A run with a scratch of its own, of which nothing is left. */
const run = async (options: BenchOptions): Promise<Report> => {
  const scratch = new Scratch()
  try {
    return await new Bench(options, scratch, () => {}).run(new AbortController().signal)
  } finally {
    await scratch.close()
    expect(existsSync(scratch.dir)).to.equal(false)
  }
}

const keysOf = (report: Report, keys: readonly MetricKey[], names: readonly string[]): void => {
  expect(report.absent).to.deep.equal([])
  expect(report.routes.map(({ name }) => name)).to.deep.equal(names)
  for (const { name, failures, values } of report.routes) {
    expect(failures, name).to.deep.equal([])
    for (const key of keys) expect(values[key]?.median, `${name} ${key}`).to.be.greaterThan(0)
  }
}

describe('the bench', function () {
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
    expect(table(report, goals(report))).to.include('look-up (wildcard) among 40 hosts')
  })

  it('reads what wrk says, and believes no run in which requests failed', () => {
    const said = (line: string): string => `Running 3s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Latency Distribution
     50%    1.40ms
     75%    1.72ms
     90%    2.51ms
     99%  987.00us
  59340 requests in 3.01s, 64.97MB read
${line}Requests/sec:  19713.12
Transfer/sec:     21.58MB
`
    expect(readWrk(said(''))).to.deep.equal({ perSecond: 19713.12, p50: 1400, p99: 987 })
    expect(() => readWrk(said('  Non-2xx or 3xx responses: 7\n'))).to.throw('Non-2xx or 3xx responses: 7')
    expect(() => readWrk(said('  Socket errors: connect 0, read 3, write 0, timeout 0\n'))).to.throw('read 3')
    expect(() => readWrk('unable to connect to 127.0.0.1:1 Connection refused')).to.throw('unable to connect')
  })

  it('takes the middle of the rounds, whatever did not come out left aside', () => {
    expect(median([3, 1, 2])).to.equal(2)
    expect(median([4, 1, 2, 3])).to.equal(2.5)
    expect(median([Number.NaN, 7])).to.equal(7)
    expect(median([])).to.be.NaN
  })

  it('judges by the best of the peers that were there, and says nothing where none was', () => {
    const found = goals({ routes: [route('rystra-direct', 10), route('rathole', 8), route('bore', 9.5)] })
    const against = (text: string) => found.find((goal) => goal.text === text)
    expect(against('rystra-direct up1 ≥ 1.1 × best of rathole, bore')).to.include({ met: false })
    expect(against('rystra-direct up1 ≥ 1.4 × rathole')).to.include({ met: false, value: 1.25 })
    expect(against('rystra-yamux up1 ≥ 1.3 × rathole')).to.include({ met: undefined })
    expect(goals({ routes: [route('rystra-direct', 12), route('rathole', 8)] })[0]).to.include({
      met: true,
      value: 1.5
    })
  })

  it('refuses options that make no sense', () => {
    expect(() => parseOptions(['--rounds', '0'])).to.throw('--rounds')
    expect(() => parseOptions(['--measure', 'bulk,speed'])).to.throw('not speed')
    expect(() => parseOptions(['--qick'])).to.throw('--qick')
    expect(parseOptions(['--quick', '--only', 'a, b'])).to.deep.include({ rounds: 2, only: ['a', 'b'] })
  })
})
