import { expect } from 'chai'
import { existsSync } from 'node:fs'
import { Bench } from './bench.js'
import type { BenchOptions, Measure } from './options.js'
import type { MetricKey, Report } from './result.js'
import { Scratch } from './scratch.js'

/** Each measurement once, as short as it can be. */
export const short: BenchOptions = {
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

/** A run with a scratch of its own, of which nothing is left. */
export const run = async (options: BenchOptions): Promise<Report> => {
  const scratch = new Scratch()
  try {
    return await new Bench(options, scratch, () => {}).run(new AbortController().signal)
  } finally {
    await scratch.close()
    expect(existsSync(scratch.dir)).to.equal(false)
  }
}

/** Expects these routes and no others, each with these figures. */
export const keysOf = (report: Report, keys: readonly MetricKey[], names: readonly string[]): void => {
  expect(report.absent).to.deep.equal([])
  expect(report.routes.map(({ name }) => name)).to.deep.equal(names)
  for (const { name, failures, values } of report.routes) {
    expect(failures, name).to.deep.equal([])
    for (const key of keys) expect(values[key]?.median, `${name} ${key}`).to.be.greaterThan(0)
  }
}
