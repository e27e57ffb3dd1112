import { expect } from 'chai'
import { goals } from './goals.js'
import { readWrk } from './measure-requests.js'
import { type Measure, parseOptions } from './options.js'
import type { RouteResult } from './result.js'
import { keysOf, run, short } from './short-run.js'
import { median, series } from './statistics.js'
import { table } from './table.js'

const route = (name: string, up1: number): RouteResult => ({
  field: 'streams',
  name,
  title: name,
  values: { up1: series([up1]) },
  failures: []
})

describe('the bench', function () {
  this.timeout(180_000)

  it('measures a tunnel, and leaves nothing behind', async () => {
    const measures = new Set<Measure>(['bulk', 'latency', 'connections'])
    const report = await run({ ...short, measures, only: ['=rystra-yamux'] })
    keysOf(report, ['up1', 'down1', 'p50', 'p99', 'connections'], ['rystra-yamux'])
    expect(table(report, goals(report))).to.include('rystra-yamux')
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

  it('reaches the goals of the clock and the jitter buffer', async () => {
    const report = await run({ ...short, measures: new Set<Measure>(['clock']) })
    const met = goals(report).flatMap((goal) => (goal.met === undefined ? [] : [goal]))
    expect(met.filter((goal) => !goal.met)).to.deep.equal([])
    expect(met.length).to.be.above(20)
    expect(table(report, goals(report))).to.include('clock error ms, simulated')
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
