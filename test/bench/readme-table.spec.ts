import { expect } from 'chai'
import { parseOptions } from './options.js'
import { readmeTable } from './readme-table.js'
import type { MetricKey, Report, RouteResult } from './result.js'
import { series } from './statistics.js'

const route = (name: string, values: Partial<Record<MetricKey, number>>): RouteResult => ({
  field: 'streams',
  name,
  title: name,
  failures: [],
  values: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, series([value])]))
})

const report: Report = {
  machine: { node: '20.20.2', system: 'Linux 6', processors: '2 × x', descriptors: 1024 },
  rounds: 3,
  windowMilliseconds: 1000,
  seconds: 10,
  absent: [{ name: 'frp', why: 'frps not found on PATH' }],
  routes: [
    route('direct', { up1: 30, down1: 30, p50: 60, p99: 90, connections: 10_000 }),
    route('rystra-yamux', { up1: 22, down1: 11, cpu: 0.9, p50: 160, p99: 330, connections: 2457 })
  ]
}

describe('the tables of the README', () => {
  it('have the load alone in the first row, and say where it may be the limit', () => {
    const lines = readmeTable(report).split('\n')
    expect(lines).to.include('| no tunnel: the load alone | 30.0 / 30.0 | – | 60 / 90 | 10,000 |')
    expect(lines).to.include('| rystra-yamux | 22.0* / 11.0 | 0.90 | 160 / 330 | 2,457 |')
    expect(lines.at(-1)).to.equal('Not measured: frp (frps not found on PATH).')
  })

  it('are made in ten minutes at most, of ours and every peer', () => {
    const options = parseOptions(['--suite', 'readme'])
    expect(options).to.include({ suite: 'readme', seconds: 540 })
    expect(options?.only).to.include.members(['rathole', 'frp', '=rystra-tls-yamux'])
    expect(parseOptions(['--suite', 'readme', '--measure', 'packets'])?.measures).to.deep.equal(new Set(['packets']))
    expect(() => parseOptions(['--suite', 'other'])).to.throw('--suite knows readme')
  })
})
