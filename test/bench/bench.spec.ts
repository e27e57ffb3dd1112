import { expect } from 'chai'
import { existsSync } from 'node:fs'
import { Bench } from './bench.js'
import { goals } from './goals.js'
import { type BenchOptions, measures, parseOptions } from './options.js'
import type { RouteResult, Report } from './result.js'
import { Scratch } from './scratch.js'
import { median, series } from './statistics.js'
import { table } from './table.js'
import { usageKnown } from './usage.js'

const short: BenchOptions = {
  json: false,
  only: ['=direct', '=rystra-direct', '=rystra-yamux'],
  peers: ['none'],
  measures: new Set(measures),
  rounds: 1,
  window: 100,
  warmup: 20,
  trips: 50,
  connecting: 100,
  streams: 20,
  clients: 3
}

const route = (name: string, up1: number): RouteResult => ({
  name,
  title: name,
  values: { up1: series([up1]) },
  failures: []
})

describe('the bench', () => {
  it('measures a direct connection and both muxers, and leaves nothing behind', async function () {
    this.timeout(60_000)
    const scratch = new Scratch()
    let report: Report
    try {
      report = await new Bench(short, scratch, () => {}).run(new AbortController().signal)
    } finally {
      await scratch.close()
    }
    expect(report.absent).to.deep.equal([])
    expect(report.routes.map(({ name }) => name)).to.deep.equal(['direct', 'rystra-direct', 'rystra-yamux'])
    for (const { name, failures, values, streams, clients } of report.routes) {
      expect(failures, name).to.deep.equal([])
      for (const key of ['up1', 'down1', 'up8', 'down8', 'p50', 'p99', 'connections'] as const) {
        expect(values[key]?.median, `${name} ${key}`).to.be.greaterThan(0)
      }
      if (name === 'direct') continue
      if (usageKnown) expect(values.cpu?.median, `${name} cpu`).to.be.greaterThan(0)
      expect(streams, name).to.include({ streams: 20 }).and.include.keys('server', 'client', 'resident')
      expect(clients, name).to.include({ clients: 3 })
    }
    expect(table(report, goals(report.routes))).to.include('rystra-yamux ÷')
    expect(existsSync(scratch.dir)).to.equal(false)
  })

  it('takes the middle of the rounds, whatever did not come out left aside', () => {
    expect(median([3, 1, 2])).to.equal(2)
    expect(median([4, 1, 2, 3])).to.equal(2.5)
    expect(median([Number.NaN, 7])).to.equal(7)
    expect(median([])).to.be.NaN
  })

  it('judges by the best of the peers that were there, and says nothing where none was', () => {
    const found = goals([route('rystra-direct', 10), route('rathole', 8), route('bore', 9.5)])
    const against = (text: string) => found.find((goal) => goal.text === text)
    expect(against('rystra-direct up1 ≥ 1.1 × best of rathole, bore')).to.include({ met: false })
    expect(against('rystra-direct up1 ≥ 1.4 × rathole')).to.include({ met: false, value: 1.25 })
    expect(against('rystra-yamux up1 ≥ 1.3 × rathole')).to.include({ met: undefined })
    expect(goals([route('rystra-direct', 12), route('rathole', 8)])[0]).to.include({ met: true, value: 1.5 })
  })

  it('refuses options that make no sense', () => {
    expect(() => parseOptions(['--rounds', '0'])).to.throw('--rounds')
    expect(() => parseOptions(['--measure', 'bulk,speed'])).to.throw('not speed')
    expect(() => parseOptions(['--qick'])).to.throw('--qick')
    expect(parseOptions(['--quick', '--only', 'a, b'])).to.deep.include({ rounds: 2, only: ['a', 'b'] })
  })
})
