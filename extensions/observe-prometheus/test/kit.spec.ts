import { expect } from 'chai'
import { extensionKit } from '@rystra/testkit'
import { readdirSync, readFileSync } from 'node:fs'
import prometheus from '../src/index.js'

extensionKit(
  {
    use: prometheus({ listen: { host: '127.0.0.1', port: 0, path: '/metrics', hosts: [] } }),
    invalid: {
      'a port that is too high': { listen: { port: 65_536 } },
      'a path without a slash': { listen: { path: 'metrics' } },
      'a short token': { listen: { token: 'short' } },
      'no series at all': { maxSeries: 0 }
    }
  },
  { title: 'observe-prometheus as an extension' }
)

describe('the dashboard of Grafana', () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8')
  const sources = readdirSync(new URL('../src/', import.meta.url))
    .map((name) => read(`../src/${name}`))
    .join('\n')
  const dashboard = read('../../../docs/grafana/rystra.json')
  const names = new Set(
    [...dashboard.matchAll(/\b(?:rystra|process|nodejs)_[a-z0-9_]+/g)].map(([name]) =>
      name.replace(/_(sum|count)$/, '')
    )
  )

  it('names metrics that there are', () => {
    expect(names.size).to.be.greaterThan(12)
    for (const name of names) expect(sources, name).to.include(`'${name}'`)
  })

  it('is JSON with a panel for each query, each with a unit', () => {
    const { panels, title } = JSON.parse(dashboard)
    expect(title).to.equal('Rystra')
    for (const panel of panels.filter(({ type }: { type: string }) => type !== 'row')) {
      expect(panel.targets.length, panel.title).to.be.greaterThan(0)
      expect(panel.fieldConfig.defaults.unit, panel.title).to.be.a('string')
    }
  })
})
