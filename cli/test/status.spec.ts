import { expect } from 'chai'
import { statusText } from '../src/admin/status.js'

const status = {
  side: 'server',
  state: 'running',
  version: '0.1.0',
  sessions: 1,
  sessionsOpened: 2,
  proxies: 0,
  streams: 0,
  opened: 0,
  bytesToService: 0,
  bytesToVisitor: 0,
  refused: {},
  revision: 'r',
  process: { pid: 1, uptime: 5, node: 'v20', rss: 1, cpuUser: 0, cpuSystem: 0 },
  listeners: [],
  certificates: []
}

const member = (name: string, self = false) => ({ name, host: '127.0.0.1', port: 1, self })
const text = (cluster?: object): string =>
  statusText({ ...status, ...(cluster === undefined ? {} : { cluster }) } as never)

describe('rystra status', () => {
  it('lists the servers of a cluster, and says how this one stands', () => {
    const members = [member('a', true), member('b\u001b[2J')]
    const lines = text({ name: 'a', cluster: 'home', state: 'away', members, forwarded: 3 }).split('\n')
    expect(lines.find((line) => line.includes('cluster'))).match(
      /^ {2}cluster +home, away: a \(this one\), b.*; 3 streams passed on$/
    )
    expect(lines.join('')).not.include('\u001b')
  })

  it('has no line about a cluster without one', () => expect(text()).not.include('cluster'))

  it('lists hosts with the end of their certificate, what is under way, and why the last order failed', () => {
    const expires = Date.parse('2027-01-31T10:00:00Z')
    const error = { code: 'acme.rate-limited', message: 'too many orders\u001b[2J', retryable: true }
    const certificates = [
      { host: 'a.example.org', source: 'acme', state: 'valid', expires },
      { host: 'b.example.org', source: 'acme', state: 'ordering' },
      { host: 'c.example.org', source: 'acme', state: 'failed', expires, error },
      { host: 'd.example.org', source: 'acme', state: 'waiting' },
      ...Array.from({ length: 20 }, (_, index) => ({ host: `e${index}.example.org`, source: 'acme', state: 'waiting' }))
    ]
    const lines = statusText({ ...status, certificates } as never).split('\n')
    const of = (host: string): string => lines.find((line) => line.includes(host))?.replace(/^ +host +/, '') ?? ''
    expect(of('a.example')).equal('a.example.org until 2027-01-31')
    expect(of('b.example')).equal('b.example.org no certificate yet, ordering')
    expect(of('c.example')).equal('c.example.org until 2027-01-31, failed: too many orders\ufffd[2J')
    expect(of('d.example')).equal('d.example.org no certificate yet, waiting')
    expect(lines.join('\n')).include('and 4 more hosts: --json')
  })

  it('lists some of many servers', () => {
    const members = Array.from({ length: 30 }, (_, index) => member(`m${index}`))
    const cluster = { name: 'm0', cluster: 'c', state: 'up', members, forwarded: 0 }
    expect(text(cluster)).include('m19, 10 more; 0').and.not.include('m20')
  })
})
